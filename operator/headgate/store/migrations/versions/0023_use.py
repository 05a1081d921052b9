"""What attempts were measured to use."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0023/10_use.sql")


def downgrade() -> None:
    run_scripts("0023/down.sql")
