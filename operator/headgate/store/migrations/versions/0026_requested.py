"""What attempts requested, beside what they were measured to use."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0026"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0026/10_requested.sql")


def downgrade() -> None:
    run_scripts("0026/down.sql")
