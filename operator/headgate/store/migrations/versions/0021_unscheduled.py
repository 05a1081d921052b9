"""Which attempts find no room on the nodes, and since when."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0021"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0021/10_unscheduled.sql")


def downgrade() -> None:
    run_scripts("0021/down.sql")
