"""Everything that a workspace keeps is counted, to the byte, and given back when it goes."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0022/10_counting.sql", "0022/20_room.sql", "0022/30_memos.sql")


def downgrade() -> None:
    run_scripts("0022/down.sql")
