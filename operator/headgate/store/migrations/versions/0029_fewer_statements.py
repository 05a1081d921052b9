"""What a step and a start count by takes fewer statements."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0029/10_counting.sql", "0029/20_room.sql")


def downgrade() -> None:
    run_scripts("0029/down.sql")
