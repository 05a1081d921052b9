"""Runs and their steps, partitioned by month, and the triggers that they came from."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Identity, Index, Integer, Numeric, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from headgate.store.tables.base import Time, metadata

executions = Table(
    "workflow_executions",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("started_at", Time, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("workflow_id", Uuid, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("status", Text, nullable=False),
    Column("trigger_kind", Text, nullable=False),
    Column("trigger_key", Text, nullable=False),
    Column("trigger_node", Text, nullable=False),
    Column("resource", Text),
    Column("inputs", JSONB, nullable=False),
    Column("waiting_reason", Text),
    Column("waiting_until", Time),
    Column("running_since", Time),
    Column("deadline", Time),
    Column("finished_at", Time),
    Column("duration_ms", BigInteger),
    Column("error_message", Text),
    Column("probe", Integer),
    Column("mode", Text, nullable=False, server_default="Normal"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("mutex", Text),
    Column("depth", Integer, nullable=False, server_default="0"),
    Column("parent_run", Uuid),
    Column("parent_node", Text),
    Column("parent_attempt", Integer),
    Column("callers", ARRAY(Uuid), nullable=False, server_default="{}"),
    Column("event", JSONB),
    Column("outputs", JSONB),
    Column("options", JSONB, nullable=False, server_default="{}"),
    Column("replay_of", Uuid),
    Column("retries", Integer, nullable=False, server_default="0"),
    Column("held", Text),
    Column("cancelling", Boolean, nullable=False, server_default="false"),
    Column("overdue", Boolean, nullable=False, server_default="false"),
    Column("concurrency_limit", Integer),
    Column("labels", JSONB, nullable=False, server_default="{}"),
    postgresql_partition_by="RANGE (started_at)",
)
Index(
    "workflow_executions_status",
    executions.c.workspace_id,
    executions.c.status,
    executions.c.started_at.desc(),
    postgresql_include=["duration_ms", "error_message"],
)
Index(
    "workflow_executions_workflow",
    executions.c.workspace_id,
    executions.c.workflow_id,
    executions.c.status,
    executions.c.started_at.desc(),
)
Index(
    "workflow_executions_open",
    executions.c.workspace_id,
    executions.c.started_at,
    postgresql_where=text("status IN ('Pending', 'Running', 'Suspended')"),
)
Index(
    "workflow_executions_mutex",
    executions.c.workspace_id,
    executions.c.mutex,
    executions.c.status,
    postgresql_where=text("mutex IS NOT NULL AND status IN ('Pending', 'Running', 'Suspended')"),
)
Index(
    "workflow_executions_pending",
    executions.c.workspace_id,
    executions.c.priority.desc(),
    executions.c.started_at,
    executions.c.id,
    postgresql_where=text("status = 'Pending'"),
)
Index(
    "workflow_executions_limited",
    executions.c.workspace_id,
    executions.c.priority.desc(),
    executions.c.started_at,
    executions.c.id,
    postgresql_where=text("status = 'Pending' AND (mutex IS NOT NULL OR concurrency_limit IS NOT NULL)"),
)
Index(
    "workflow_executions_called",
    executions.c.workspace_id,
    executions.c.priority.desc(),
    executions.c.started_at,
    executions.c.id,
    postgresql_where=text("status = 'Pending' AND callers <> '{}'"),
)
Index(
    "workflow_executions_parent",
    executions.c.workspace_id,
    executions.c.parent_run,
    postgresql_where=text("parent_run IS NOT NULL"),
)

execution_steps = Table(
    "workflow_execution_steps",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("started_at", Time, primary_key=True),
    Column("execution_id", Uuid, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("phase", Text, nullable=False),
    Column("branch", Text),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("exit_code", Integer),
    Column("output", JSONB),
    Column("attempt_started_at", Time),
    Column("attempt_finished_at", Time),
    Column("log_path", Text),
    Column("log_bytes", BigInteger),
    Column("log_truncated", Boolean),
    Column("hourly_rate", Numeric),
    Column("price_version", Text),
    Column("cost", Numeric),
    Column("cpu_used", Numeric),
    Column("memory_used", Numeric),
    Column("cpu_requested", Numeric),
    Column("memory_requested", Numeric),
    postgresql_partition_by="RANGE (started_at)",
)

execution_triggers = Table(
    "execution_triggers",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("trigger_key", Text, primary_key=True),
    Column("execution_id", Uuid),
    Column("created_at", Time, nullable=False),
)

run_endings = Table(
    "run_endings",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("run_id", Uuid, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("ended_at", Time, nullable=False),
    Column("due_at", Time, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("started_at", Time, nullable=False),
    Index("run_endings_due", "workspace_id", "due_at"),
)

node_memos = Table(
    "node_memos",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("workflow_id", Uuid, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("output", JSONB),
    Column("created_at", Time, nullable=False),
    Index("node_memos_age", "workspace_id", "workflow_id", "node", "created_at"),
)

execution_labels = Table(
    "execution_labels",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("started_at", Time, primary_key=True),
    Column("execution_id", Uuid, primary_key=True),
    postgresql_partition_by="RANGE (started_at)",
)

ended_labels = Table(
    "ended_labels",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("started_at", Time, primary_key=True),
    Column("execution_id", Uuid, primary_key=True),
    Column("workflow_id", Uuid),
    Index(
        "ended_labels_workflow",
        "workspace_id",
        "workflow_id",
        "key",
        "value",
        "status",
        "started_at",
        "execution_id",
    ),
    postgresql_partition_by="RANGE (started_at)",
)

run_artifacts = Table(
    "run_artifacts",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("started_at", Time, primary_key=True),
    Column("execution_id", Uuid, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    postgresql_partition_by="RANGE (started_at)",
)

unnoted_artifacts = Table(
    "unnoted_artifacts",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("due_at", Time, nullable=False),
    Column("given_up", Boolean, nullable=False),
)

run_changes = Table(
    "run_changes",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("transaction_id", BigInteger, primary_key=True),
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("execution_id", Uuid, nullable=False),
    Column("node", Text),
    Column("attempt", Integer),
    Column("phase", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("log_kept", Boolean, nullable=False),
    Column("changed_at", Time, nullable=False),
    Index("run_changes_execution", "workspace_id", "execution_id", "transaction_id", "number"),
    Index("run_changes_age", "changed_at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
)
