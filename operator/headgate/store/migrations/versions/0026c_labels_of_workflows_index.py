"""The runs of a workflow with a label that ended in a certain way, in the order of the list."""

from __future__ import annotations

from alembic import op

from headgate.store.migrations.indexes import add_index

revision = "0026c"
down_revision = "0026b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_index(
        "ended_labels",
        "ended_labels_workflow",
        "(workspace_id, workflow_id, key, value, status, started_at, execution_id)",
    )


def downgrade() -> None:
    op.execute("DROP INDEX headgate.ended_labels_workflow")
