"""Puts new keys in the place of old ones, while everything can be read throughout.

Nothing is held in memory between two transactions but where to go on: whoever dies in between, or does the same beside
it, leaves credentials under old keys or under new ones, and each with the key that it lies under.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from uuid import UUID

import structlog

from headgate.domain.audit import Action, Actor
from headgate.domain.envelope import (
    KEY_BYTES,
    NONCE_BYTES,
    CannotOpen,
    DataKey,
    KeyRing,
    Sealed,
    UnknownKey,
    WrappedKey,
)
from headgate.engine.acts import done
from headgate.engine.audit import record
from headgate.engine.context import Context
from headgate.engine.credentials.types import Rewrapping, Rotation
from headgate.store import credentials, data_keys
from headgate.store.database import Transaction

_BATCH = 50
"""Credentials sealed anew in one transaction at most: 1.6 MB of values."""
_WORKSPACES = 200
_FIRST = UUID(int=0)
_log = structlog.get_logger(__name__)


def new_data_key(context: Context, keys: KeyRing, workspace_id: UUID) -> tuple[DataKey, WrappedKey]:
    """A fresh data key, and what is kept of it."""
    key = DataKey(workspace_id, context.new_id(context.now()), context.randomness(KEY_BYTES))
    return key, keys.wrap(key, context.randomness(NONCE_BYTES))


async def rotate_data_key(context: Context, keys: KeyRing, workspace_id: UUID, actor: Actor | None = None) -> Rotation:
    """See ``Credentials.rotate_data_key``."""
    now = context.now()
    async with context.database.tenant(workspace_id, lock=workspace_id) as tx:
        if not await data_keys.retire(tx, workspace_id, now):
            return Rotation()
        await data_keys.add(tx, new_data_key(context, keys, workspace_id)[1], now)
        await record(tx, workspace_id, now, done(actor, Action.CREDENTIAL_ROTATE, "data-key"))
    resealed, unreadable, after = 0, list[str](), ""
    while True:
        async with context.database.tenant(workspace_id, lock=workspace_id) as tx:
            found = await credentials.under_retired_keys(tx, workspace_id, after, _BATCH)
            if not found:
                await data_keys.drop_unused(tx, workspace_id)
                break
            sealed, failed = await _sealed_anew(context, keys, tx, workspace_id, found)
            unreadable += failed
        resealed += sealed
        after = found[-1].place.name
    if unreadable:
        _log.error("credentials_unreadable", workspace_id=str(workspace_id), names=unreadable)
    return Rotation(resealed, tuple(unreadable))


async def _sealed_anew(
    context: Context, keys: KeyRing, tx: Transaction, workspace_id: UUID, found: list[credentials.Stored]
) -> tuple[int, list[str]]:
    """Seal them under the data key that is current by now; how many, and the names of those that cannot be read."""
    current = await data_keys.current(tx, workspace_id)
    if current is None:
        raise LookupError("a workspace with credentials has no current data key")
    key = keys.unwrap(current)
    sealed: list[tuple[str, Sealed]] = []
    failed: list[str] = []
    for each in found:
        try:
            values = keys.unwrap(each.key).open(each.place, each.sealed)
        except (CannotOpen, UnknownKey):
            # It must not keep the others under a key that is to go.
            failed.append(each.place.name)
            continue
        sealed.append((each.place.name, key.seal(each.place, values, context.randomness(NONCE_BYTES))))
    return await credentials.reseal(tx, workspace_id, key.id, sealed) if sealed else 0, failed


async def rotate_all_data_keys(context: Context, keys: KeyRing, actor: Actor | None = None) -> Mapping[UUID, Rotation]:
    """See ``Credentials.rotate_all_data_keys``."""
    return {
        workspace_id: await rotate_data_key(context, keys, workspace_id, actor)
        async for workspace_id in _workspaces(context, data_keys.workspaces_with_keys)
    }


async def rewrap(context: Context, keys: KeyRing) -> Rewrapping:
    """See ``Credentials.rewrap``."""

    async def to_rewrap(tx: Transaction, after: UUID, limit: int) -> list[UUID]:
        return await data_keys.workspaces_to_rewrap(tx, keys.current, after, limit)

    rewrapped, failed = 0, list[UUID]()
    async for workspace_id in _workspaces(context, to_rewrap):
        async with context.database.tenant(workspace_id, lock=workspace_id) as tx:
            for wrapped in await data_keys.otherwise_wrapped(tx, workspace_id, keys.current):
                try:
                    key = keys.unwrap(wrapped)
                except (CannotOpen, UnknownKey) as problem:
                    _log.error("data_key_unreadable", workspace_id=str(workspace_id), why=str(problem))
                    failed.append(workspace_id)
                    continue
                await data_keys.rewrap(tx, keys.wrap(key, context.randomness(NONCE_BYTES)))
                rewrapped += 1
    return Rewrapping(rewrapped, tuple(dict.fromkeys(failed)))


async def _workspaces(
    context: Context, find: Callable[[Transaction, UUID, int], Awaitable[list[UUID]]]
) -> AsyncIterator[UUID]:
    """Every workspace that is found, page by page, without a transaction that stays open meanwhile."""
    after = _FIRST
    while True:
        async with context.database.system() as tx:
            page = await find(tx, after, _WORKSPACES)
        for workspace_id in page:
            yield workspace_id
        if len(page) < _WORKSPACES:
            return
        after = page[-1]
