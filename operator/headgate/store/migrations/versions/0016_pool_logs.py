"""What attempts in pools printed, on its way into the object store."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0016/10_pool_logs.sql")


def downgrade() -> None:
    run_scripts("0016/down.sql")
