"""Statements about deliveries of webhooks. Bodies come and go as ciphertexts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.domain.envelope import DeliveryPlace, Sealed, WrappedKey
from headgate.store import data_keys
from headgate.store.database import Transaction
from headgate.store.fragments import compact
from headgate.store.records import to_json


@dataclass(frozen=True)
class Before:
    """What there is before a delivery is recorded."""

    key: WrappedKey | None
    """The workspace's current data key."""
    id: UUID | None
    """None where this is the first time that the delivery is seen."""
    results: Mapping[str, Mapping[str, Any]]
    """What became of it, by trigger."""
    kept: bool
    """Whether its body is kept."""


_BEFORE = f"""
    SELECT {data_keys.COLUMNS}, d.id AS delivery_id, d.results, d.sealed IS NOT NULL AS kept
    FROM (VALUES (1)) AS always
    LEFT JOIN headgate.data_keys k ON k.workspace_id = %(workspace_id)s AND k.retired_at IS NULL
    LEFT JOIN headgate.webhook_deliveries d ON d.workspace_id = %(workspace_id)s AND d.hook = %(hook)s
        AND d.format = %(format)s AND d.message_id = %(message_id)s AND d.redelivery_of IS NULL
"""  # noqa: S608 - constants


async def before(tx: Transaction, place: DeliveryPlace) -> Before:
    """What is known of a delivery, and the key to seal its body with. Share the workspace's lock."""
    row = await tx.one(_BEFORE, _place(place))
    key = None if row.key_id is None else data_keys.wrapped_key(place.workspace_id, row)
    return Before(key, row.delivery_id, row.results or {}, row.kept)


@dataclass(frozen=True)
class NewDelivery:
    """A delivery as it is recorded."""

    id: UUID
    place: DeliveryPlace
    event: str
    received_at: datetime
    results: Mapping[str, Mapping[str, Any]]
    reason: str
    message: str
    headers: Mapping[str, str]
    body_bytes: int
    sealed: Sealed | None = field(repr=False)
    """None where the body is kept already, or not to be kept."""
    redelivery_of: UUID | None = None
    requested_by: str | None = None


@dataclass(frozen=True)
class Recorded:
    """A delivery when it has been recorded."""

    id: UUID
    results: Mapping[str, Mapping[str, Any]]


# What a trigger took, or left out, stays: only what it refused is told anew. Bytes are counted last of all, since that
# locks what the workspace uses.
_PUT = compact("""
    WITH fits AS MATERIALIZED (
        SELECT headgate.keep_bytes(%(workspace_id)s, CAST(%(bytes)s AS bigint)) AS yes
    )
    INSERT INTO headgate.webhook_deliveries AS d (workspace_id, id, hook, format, message_id, event, received_at,
        attempts, redelivery_of, requested_by, reason, message, results, headers, body_bytes, data_key_id, sealed)
    SELECT %(workspace_id)s, %(id)s, %(hook)s, %(format)s, %(message_id)s, %(event)s, %(received_at)s, 1,
        CAST(%(redelivery_of)s AS uuid), CAST(%(requested_by)s AS text), %(reason)s, %(message)s,
        CAST(%(results)s AS jsonb), CAST(%(headers)s AS jsonb), %(body_bytes)s,
        CASE WHEN yes THEN CAST(%(data_key_id)s AS uuid) END, CASE WHEN yes THEN CAST(%(sealed)s AS bytea) END
    FROM fits
    ON CONFLICT (workspace_id, hook, format, message_id) WHERE redelivery_of IS NULL DO UPDATE
    SET event = excluded.event, attempts = d.attempts + 1, reason = excluded.reason, message = excluded.message,
        results = excluded.results || coalesce((
            SELECT jsonb_object_agg(key, value) FROM jsonb_each(d.results) WHERE value ->> 'outcome' <> 'refused'
        ), '{}'),
        headers = excluded.headers, body_bytes = excluded.body_bytes,
        data_key_id = CASE WHEN d.sealed IS NULL THEN excluded.data_key_id ELSE d.data_key_id END,
        sealed = coalesce(d.sealed, excluded.sealed)
    RETURNING id, results, sealed IS DISTINCT FROM CAST(%(sealed)s AS bytea) AND (SELECT yes FROM fits) AS counted_twice
""")
_UNCOUNT = "SELECT headgate.count_use(%(workspace_id)s, %(today)s, 0, 0, 0, -CAST(%(bytes)s AS bigint), NULL)"


async def put(tx: Transaction, delivery: NewDelivery) -> Recorded:
    """Record a delivery, or what became of it this time. Share the workspace's lock.

    The body is kept where there is room for it, and its bytes are counted.
    """
    sealed = delivery.sealed
    kept_bytes = len(sealed.box) if sealed is not None else 0
    parameters = _place(delivery.place) | {
        "id": delivery.id,
        "event": delivery.event,
        "received_at": delivery.received_at,
        "redelivery_of": delivery.redelivery_of,
        "requested_by": delivery.requested_by,
        "reason": delivery.reason,
        "message": delivery.message,
        "results": to_json(delivery.results),
        "headers": to_json(delivery.headers),
        "body_bytes": delivery.body_bytes,
        "bytes": kept_bytes,
        "data_key_id": sealed.data_key_id if sealed is not None else None,
        "sealed": sealed.box if sealed is not None else None,
    }
    row = await tx.one(_PUT, parameters)
    if kept_bytes and row.counted_twice:
        # It came twice at once, and the other one keeps the body.
        today = {"today": delivery.received_at.date(), "bytes": kept_bytes}
        await tx.execute(_UNCOUNT, {"workspace_id": delivery.place.workspace_id, **today})
    return Recorded(row.id, row.results)


_VIEW = """d.id, d.hook, d.format, d.message_id, d.event, d.received_at, d.attempts, d.redelivery_of, d.requested_by,
    d.reason, d.message, d.results, d.headers, d.body_bytes, d.sealed IS NOT NULL AS kept"""
_LAST = UUID(int=2**128 - 1)
_ALL = f"""
    SELECT {_VIEW} FROM headgate.webhook_deliveries d
    WHERE d.workspace_id = %(workspace_id)s AND d.id < %(before)s ORDER BY d.id DESC LIMIT %(limit)s
"""  # noqa: S608 - constants
_OF_HOOK = f"""
    SELECT {_VIEW} FROM headgate.webhook_deliveries d
    WHERE d.workspace_id = %(workspace_id)s AND d.hook = %(hook)s AND d.id < %(before)s
    ORDER BY d.id DESC LIMIT %(limit)s
"""  # noqa: S608 - constants


async def page(tx: Transaction, workspace_id: UUID, hook: str | None, before: UUID | None, limit: int) -> list[Any]:
    """Up to ``limit`` deliveries, the newest first, older than ``before``: a range of one index."""
    parameters = {"workspace_id": workspace_id, "hook": hook, "before": before or _LAST, "limit": limit}
    return await tx.rows(_ALL if hook is None else _OF_HOOK, parameters)


_ONE = f"""
    SELECT {_VIEW} FROM headgate.webhook_deliveries d WHERE d.workspace_id = %(workspace_id)s AND d.id = %(id)s
"""  # noqa: S608 - constants


async def one(tx: Transaction, workspace_id: UUID, delivery_id: UUID) -> Any | None:
    """A delivery without its body."""
    return await tx.row(_ONE, {"workspace_id": workspace_id, "id": delivery_id})


# A delivery that was made again has its body in the first one.
_WITH_BODY = f"""
    SELECT {_VIEW}, f.id AS first_id, f.data_key_id, f.sealed, {data_keys.COLUMNS}
    FROM headgate.webhook_deliveries d
    LEFT JOIN headgate.webhook_deliveries f
        ON f.workspace_id = d.workspace_id AND f.id = coalesce(d.redelivery_of, d.id)
    LEFT JOIN headgate.data_keys k ON k.workspace_id = f.workspace_id AND k.id = f.data_key_id
    WHERE d.workspace_id = %(workspace_id)s AND d.id = %(id)s
"""  # noqa: S608 - constants


@dataclass(frozen=True)
class Kept:
    """A delivery with the body that came first."""

    row: Any
    first_id: UUID | None
    """None where that one is not kept any more."""
    sealed: Sealed | None
    key: WrappedKey | None
    """None where the key is gone under which it lies, and the body with it."""


async def with_body(tx: Transaction, workspace_id: UUID, delivery_id: UUID) -> Kept | None:
    """A delivery with its body."""
    row = await tx.row(_WITH_BODY, {"workspace_id": workspace_id, "id": delivery_id})
    if row is None:
        return None
    sealed = None if row.sealed is None else Sealed(row.data_key_id, row.sealed)
    return Kept(row, row.first_id, sealed, None if row.key_id is None else data_keys.wrapped_key(workspace_id, row))


_WITH_DELIVERIES = """
    SELECT w.id FROM headgate.workspaces w
    WHERE EXISTS (SELECT FROM headgate.webhook_deliveries d WHERE d.workspace_id = w.id AND d.id < %(before)s)
"""


async def workspaces_with_older(tx: Transaction, before: UUID) -> list[UUID]:
    """Workspaces, retired ones too, with deliveries whose ids come before that one. A system transaction's."""
    return [row.id for row in await tx.rows(_WITH_DELIVERIES, {"before": before})]


# What the workspace uses is locked first, as everywhere where deliveries are written.
_FORGET = """
    WITH held AS MATERIALIZED (
        SELECT FROM headgate.workspace_usage WHERE workspace_id = %(workspace_id)s FOR UPDATE
    ), old AS MATERIALIZED (
        SELECT o.id FROM held, (
            SELECT id, received_at FROM headgate.webhook_deliveries
            WHERE workspace_id = %(workspace_id)s ORDER BY id LIMIT %(limit)s
        ) o
        WHERE o.received_at < CAST(%(now)s AS timestamptz) - make_interval(days => (
            SELECT webhook_logs_days FROM headgate.data_retention_policies
            WHERE workspace_id = %(workspace_id)s AND NOT legal_hold
        ))
    ), gone AS (
        DELETE FROM headgate.webhook_deliveries d USING old
        WHERE d.workspace_id = %(workspace_id)s AND d.id = old.id RETURNING coalesce(octet_length(d.sealed), 0) AS bytes
    ), freed AS MATERIALIZED (
        SELECT count(*) AS rows, coalesce(sum(bytes), 0)::bigint AS bytes FROM gone
    )
    SELECT rows, CASE WHEN bytes > 0 THEN
        headgate.count_use(%(workspace_id)s, CAST(%(today)s AS date), 0, 0, 0, -bytes, NULL) END AS waiting
    FROM freed
"""


async def forget(tx: Transaction, workspace_id: UUID, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` deliveries that are older than the workspace keeps them. Returns how many."""
    parameters = {"workspace_id": workspace_id, "now": now, "today": now.date(), "limit": limit}
    return int((await tx.one(_FORGET, parameters)).rows)


def _place(place: DeliveryPlace) -> dict[str, Any]:
    return {
        "workspace_id": place.workspace_id,
        "hook": place.hook,
        "format": place.format,
        "message_id": place.message_id,
    }
