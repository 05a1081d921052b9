"""Days of analytics count runs."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0011"
down_revision = "0010b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0011/10_runs.sql")


def downgrade() -> None:
    run_scripts("0011/down.sql")
