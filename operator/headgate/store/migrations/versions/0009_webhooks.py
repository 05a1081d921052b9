"""Webhooks, what they delivered, and how much of it nobody had signed."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0009/10_tables.sql", "0009/20_security.sql")


def downgrade() -> None:
    run_scripts("0009/down.sql")
