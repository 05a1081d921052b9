"""Runs the SQL files of a migration, which are easier to read and to review as what they are."""

from __future__ import annotations

from importlib.resources import files

from alembic import op


def run_scripts(*names: str) -> None:
    """Run files of ``sql/`` in the migration's transaction, in the given order."""
    for name in names:
        script = files("headgate.store.migrations").joinpath("sql", *name.split("/")).read_text("utf-8")
        # Without parameters a driver neither looks for placeholders nor refuses several statements at once.
        op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})
