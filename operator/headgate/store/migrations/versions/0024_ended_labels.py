"""How the runs with a label ended, in the order of the list."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0024/10_tables.sql", "0024/20_partitions.sql", "0024/30_runs.sql")


def downgrade() -> None:
    run_scripts("0024/down.sql", "0024/down_partitions.sql")
