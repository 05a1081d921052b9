"""What attempts cost, and what ended day by day."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Identity, Numeric, SmallInteger, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from headgate.store.tables.base import Time, metadata

price_tables = Table(
    "price_tables",
    metadata,
    Column("version", Text, primary_key=True),
    Column("valid_from", Time, primary_key=True),
    Column("prices", JSONB, nullable=False),
)

deltas = Table(
    "analytics_deltas",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("workflow_id", Uuid, nullable=False),
    Column("day", Date, nullable=False),
    Column("node", Text),
    Column("sign", SmallInteger, nullable=False),
    Column("phase", Text, nullable=False),
    Column("duration_ms", BigInteger),
    Column("queue_ms", BigInteger),
    Column("cost", Numeric),
    Column("labels", JSONB, nullable=False, server_default="{}"),
    Column("cpu_requested", Numeric),
    Column("cpu_used", Numeric),
    Column("memory_requested", Numeric),
    Column("memory_used", Numeric),
)

analytics = Table(
    "workspace_analytics_daily",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("workflow_id", Uuid, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("total", BigInteger, nullable=False),
    Column("successful", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("cancelled", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("queued", BigInteger, nullable=False),
    Column("queue_ms", BigInteger, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("cost", Numeric),
    Column("measured", BigInteger, nullable=False, server_default="0"),
    Column("cpu_requested", Numeric),
    Column("cpu_used", Numeric),
    Column("memory_requested", Numeric),
    Column("memory_used", Numeric),
)

durations = Table(
    "run_durations_daily",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("workflow_id", Uuid, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("bucket", SmallInteger, primary_key=True),
    Column("runs", BigInteger, nullable=False),
)

nodes = Table(
    "node_analytics_daily",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("workflow_id", Uuid, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("attempts", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("longest_ms", BigInteger, nullable=False),
    Column("cost", Numeric),
)

label_costs = Table(
    "label_costs_daily",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("cost", Numeric, nullable=False),
)
