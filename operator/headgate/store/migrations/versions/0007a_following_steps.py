"""What changes in attempts."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0007a"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0007a/10_steps.sql")


def downgrade() -> None:
    run_scripts("0007a/down.sql")
