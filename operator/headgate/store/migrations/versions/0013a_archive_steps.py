"""What steps get for the archive."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0013a"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0013a/10_steps.sql")


def downgrade() -> None:
    run_scripts("0013a/down.sql")
