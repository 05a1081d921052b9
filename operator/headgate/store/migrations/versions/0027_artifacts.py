"""Files that scripts leave: a row each, with the runs that they are of."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0027"
down_revision = "0026d"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0027/10_tables.sql", "0027/20_partitions.sql", "0027/30_removal.sql")


def downgrade() -> None:
    run_scripts("0027/down.sql", "0024/20_partitions.sql", "0027/down_removal.sql")
