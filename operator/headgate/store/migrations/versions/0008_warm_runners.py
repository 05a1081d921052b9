"""Which attempts runners of a pool may take."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0008"
down_revision = "0007a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0008/10_tables.sql")


def downgrade() -> None:
    run_scripts("0008/down.sql")
