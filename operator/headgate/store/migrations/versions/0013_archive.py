"""What has left the history: parts of an archive in the object store, and how rows and months go."""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_scripts(
        "0013/10_tables.sql", "0013/20_freezing.sql", "0013/30_removal.sql", "0013/40_security.sql", "0013/50_runs.sql"
    )


def downgrade() -> None:
    run_scripts("0013/down.sql")
