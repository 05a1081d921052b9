"""How far copies have come, and which connectors need Secrets."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0012/10_cursors.sql", "0012/20_security.sql", "0012/30_needs_secrets.sql")


def downgrade() -> None:
    run_scripts("0012/down.sql")
