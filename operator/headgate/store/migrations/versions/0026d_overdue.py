"""Runs whose time is over, and whose final nodes still run."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0026d"
down_revision = "0026c"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0026d/10_overdue.sql")


def downgrade() -> None:
    run_scripts("0026d/down.sql")
