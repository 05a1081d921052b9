"""The first tables, with their partitions and their security."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0001/10_tenants.sql", "0001/20_history.sql", "0001/30_partitions.sql", "0001/40_security.sql")


def downgrade() -> None:
    run_scripts("0001/down.sql")
