"""Beats by which a standby shows how far it has come, and checks of big tables that were put off."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0014"
down_revision = "0013a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0014/10_beats.sql", "0014/20_checks.sql")


def downgrade() -> None:
    run_scripts("0014/down.sql")
