"""What is noted of changes was checked before."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0029a"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0029a/10_changes.sql")


def downgrade() -> None:
    run_scripts("0029a/down.sql")
