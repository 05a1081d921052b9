"""What attempts used of what they requested, day by day."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0026a"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0026a/10_use.sql")


def downgrade() -> None:
    run_scripts("0026a/down.sql")
