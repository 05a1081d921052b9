"""Copies between two systems: what is new is read in batches after a cursor, and written so that twice is once."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.builtin import Header
from headgate.api.hidden_value import HiddenValue
from headgate.api.rules import Form, ListMap, ListSet, Rule, exactly_one
from headgate.api.scalars import Duration
from headgate.api.systems import Bucket, KafkaCluster, TopicName

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"

TableName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=127),
    Form(
        pattern=rf"^{_NAME}(\.{_NAME})?$",
        message="write a table as name or schema.name, of letters, digits and '_'; the case counts",
    ),
]
ColumnName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=63),
    Form(pattern=rf"^{_NAME}$", message="use letters, digits and '_' only in the name of a column; the case counts"),
]
FieldPath = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    Form(
        pattern=r"^[-_A-Za-z0-9]+(\.[-_A-Za-z0-9]+)*$",
        message="write names of members with '.' between them, such as data.items",
    ),
]


class PostgresSource(KubeModel):
    """Rows of a table, in the order of columns that only grow. Rows that were deleted are not told of."""

    connection: HiddenValue
    """The connection string, such as postgresql://user:password@host/name."""
    table: TableName
    """Table or view."""
    columns: Annotated[tuple[ColumnName, ...], Field(max_length=200), ListSet()] = ()
    """Columns that are copied; all when empty."""
    cursor: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=4), ListSet()]
    """Columns that together tell rows apart and grow with every change, such as ``[updated_at, id]``. An index on them
    makes reading cheap."""
    settle: Duration | None = None
    """How long the first column of ``cursor``, a timestamp, must have passed, so that transactions still under way then
    have ended: what commits later than that with an earlier time is missed."""


class KafkaSource(KafkaCluster):
    """Records of a topic whose values are JSON objects, from the earliest on."""

    topic: TopicName
    """Topic."""
    metadata: bool = False
    """Whether records get members ``kafka_partition``, ``kafka_offset`` and ``kafka_key``, which tell them apart."""


class HttpSource(KubeModel):
    """Items of an HTTP API that answers with those after a value, in JSON."""

    url: Annotated[
        str,
        StringConstraints(min_length=1, max_length=2048),
        Rule(
            cel="self.startsWith('https://') || self.startsWith('http://')",
            message="begin the url with https:// or http://",
        ),
    ]
    """Where to. Private, link-local and cluster addresses are refused."""
    headers: Annotated[tuple[Header, ...], Field(max_length=32), ListMap("name")] = ()
    """Headers of the requests."""
    items: FieldPath | None = None
    """Where the list of items is in the answer, such as ``data.items``; absent where the answer is the list."""
    cursor: FieldPath
    """Member of each item that grows from item to item, such as ``id``."""
    parameter: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """Parameter of the url that asks for items after a value; it is left out of the first request."""
    limit_parameter: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """Parameter of the url that asks for so many items at most."""


class SyncSource(KubeModel):
    """Where from: exactly one of these."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(cel=exactly_one(("postgres", "kafka", "http")), message="set exactly one of postgres, kafka and http"),
    )

    postgres: PostgresSource | None = None
    """A table of Postgres."""
    kafka: KafkaSource | None = None
    """A topic of Kafka."""
    http: HttpSource | None = None
    """An HTTP API."""


class PostgresTarget(KubeModel):
    """Rows of a table, each put in place of the one that has the same key."""

    connection: HiddenValue
    """The connection string, such as postgresql://user:password@host/name."""
    table: TableName
    """Table. Members of a record that it has no column for are left out."""
    key: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=8), ListSet()]
    """Columns that tell rows apart, on which the table has a unique index."""


class S3Target(Bucket):
    """An object for each batch: JSON Lines, named by the cursor before it and the cursor behind it."""

    prefix: Annotated[
        str,
        StringConstraints(min_length=1, max_length=512),
        Form(
            pattern=r"^[-_A-Za-z0-9]+([-._/=A-Za-z0-9]*[-_=A-Za-z0-9])?$",
            message="write a folder such as raw/orders, without '/' at its ends",
        ),
    ]
    """Folder of the objects."""


class SyncTarget(KubeModel):
    """Where to: exactly one of these."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(cel=exactly_one(("postgres", "s3")), message="set either postgres or s3"),
    )

    postgres: PostgresTarget | None = None
    """A table of Postgres."""
    s3: S3Target | None = None
    """A bucket of S3."""


class Sync(KubeModel):
    """Copies what is new since the last run. Its output is ``{batches, records, more}``.

    The cursor is kept for this node of the workflow, and moves when a batch is written. When ``source`` or ``target``
    are changed, copying begins anew.
    """

    source: SyncSource
    """Where from."""
    target: SyncTarget
    """Where to."""
    batch: Annotated[int, Field(ge=1, le=1000)] = 500
    """Records that are read and written at once."""
    max_batches: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Batches of one run at most; the next one goes on, as ``more`` in the output tells."""
