"""Kinds of work, runs that belong to other runs, what steers runs, an outbox of endings, and remembered outputs."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts(
        "0003/10_tables.sql",
        "0003/15_endings.sql",
        "0003/20_security.sql",
        "0003/30_concurrency.sql",
        "0003/40_turns.sql",
    )


def downgrade() -> None:
    run_scripts("0003/down_dispatch.sql", "0002/20_counting.sql", "0003/down.sql")
