"""Budgets."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0010b"
down_revision = "0010a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0010b/10_budget.sql")


def downgrade() -> None:
    run_scripts("0010b/down.sql")
