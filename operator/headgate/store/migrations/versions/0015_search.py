"""Words by which workflows, and errors of runs, are found."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0015/10_documents.sql", "0015/20_security.sql", "0015/30_partitions.sql")


def downgrade() -> None:
    run_scripts("0015/down.sql", "0015/down_partitions.sql")
