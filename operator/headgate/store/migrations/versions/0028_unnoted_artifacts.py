"""Files that scripts leave, as long as no run has them: each is known before it lies there."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0028/10_tables.sql")


def downgrade() -> None:
    run_scripts("0028/down.sql")
