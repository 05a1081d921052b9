"""What has left audit logs: parts of them in the object store, and anchors at which what is left begins."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0017/10_tables.sql", "0017/20_removal.sql", "0017/30_security.sql", "0017/40_log.sql")


def downgrade() -> None:
    run_scripts("0017/down.sql")
