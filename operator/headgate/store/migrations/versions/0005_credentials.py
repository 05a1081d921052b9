"""Credentials, the keys that they lie under, and who was given them."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0005/10_tables.sql", "0005/20_security.sql")


def downgrade() -> None:
    run_scripts("0005/down.sql")
