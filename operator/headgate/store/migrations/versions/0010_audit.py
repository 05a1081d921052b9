"""Who did what: a chained log, signed heads of it, and how many partitions there are ahead."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0010/10_tables.sql", "0010/20_chain.sql", "0010/30_security.sql", "0010/40_partitions.sql")


def downgrade() -> None:
    run_scripts("0010/down.sql")
