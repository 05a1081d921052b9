"""${message}"""

from __future__ import annotations

from headgate.store.migrations.scripts import run_scripts

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    run_scripts("${up_revision}/up.sql")


def downgrade() -> None:
    run_scripts("${up_revision}/down.sql")
