"""What attempts cost, days of analytics, and budgets."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts(
        "0011/10_cost.sql",
        "0011/20_analytics.sql",
        "0011/30_budget.sql",
        "0011/40_security.sql",
        "0011/50_history.sql",
    )


def downgrade() -> None:
    run_scripts("0011/down.sql")
