"""API keys, and an index of attempts that are asked to end."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0004/10_api_keys.sql", "0004/20_stopping.sql")


def downgrade() -> None:
    run_scripts("0004/down.sql")
