"""What attempts cost, and days of analytics."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0010a"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0010a/10_cost.sql", "0010a/20_analytics.sql", "0010a/30_security.sql", "0010a/40_steps.sql")


def downgrade() -> None:
    run_scripts("0010a/down.sql")
