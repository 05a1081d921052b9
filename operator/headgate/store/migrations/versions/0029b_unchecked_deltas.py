"""What is noted of ends was checked before."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0029b"
down_revision = "0029a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0029b/10_analytics.sql")


def downgrade() -> None:
    run_scripts("0029b/down.sql")
