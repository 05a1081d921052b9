"""Whose the runs with a label are that ended."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0026b"
down_revision = "0026a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0026b/10_workflow.sql")


def downgrade() -> None:
    run_scripts("0026b/down.sql")
