"""Limits that are shared, storage, circuit breakers, and retention."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0002/10_tables.sql", "0002/20_counting.sql", "0002/30_security.sql")


def downgrade() -> None:
    run_scripts("0002/down.sql")
