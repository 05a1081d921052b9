"""Kinds of work, runs that belong to other runs, what steers runs, an outbox of endings, and remembered outputs."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    parts = ("10_tables", "15_endings", "20_security", "30_concurrency", "35_places", "40_turns", "50_apart")
    run_scripts(*(f"0003/{part}.sql" for part in parts))


def downgrade() -> None:
    run_scripts("0003/down_dispatch.sql", "0002/20_counting.sql", "0003/down.sql")
