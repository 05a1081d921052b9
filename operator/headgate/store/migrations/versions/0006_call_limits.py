"""Calls of the API in an hour, and those of one caller in a minute."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0006/10_tables.sql", "0006/20_counting.sql", "0006/30_security.sql")


def downgrade() -> None:
    run_scripts("0006/down.sql")
