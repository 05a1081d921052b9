"""Labels of runs, and a record of changes that can be followed."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts("0007/10_labels.sql", "0007/20_changes.sql", "0007/30_runs.sql")


def downgrade() -> None:
    run_scripts("0007/down.sql", "0007/down_partitions.sql")
