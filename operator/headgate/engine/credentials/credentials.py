"""Keeps credentials of workspaces, and hands them to the attempts that name them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import structlog
from pydantic import ValidationError

from headgate.api.node import NodeConfig
from headgate.domain.audit import Action, Actor
from headgate.domain.credentials import MOST_CREDENTIALS, CredentialInvalid, Values, check_credential
from headgate.domain.envelope import NONCE_BYTES, CannotOpen, KeyRing, Place, UnknownKey
from headgate.domain.runner_task import KINDS, credentials_of
from headgate.engine.acts import done, released
from headgate.engine.audit import record
from headgate.engine.context import Context
from headgate.engine.credentials import key_rotation
from headgate.engine.credentials.types import (
    CredentialConflict,
    CredentialMissing,
    CredentialRefused,
    CredentialView,
    KeysMissing,
    ReleaseView,
    Rewrapping,
    Rotation,
)
from headgate.engine.types import LeaseLost, TaskRef
from headgate.store import credential_releases, credentials, data_keys
from headgate.store.credentials import Stored
from headgate.store.tasks import TaskKey

MOST_RELEASES = 1000
"""Releases to one attempt at most: each is a row for ever."""
MOST_LISTED = 500
_log = structlog.get_logger(__name__)


class Credentials:
    """Credentials of workspaces. All methods raise ``DatabaseUnavailable`` when Postgres is not there.

    What changes credentials or keys of a workspace takes turns; releases wait for none of it.
    """

    def __init__(self, context: Context, keys: KeyRing | None) -> None:
        self._context = context
        self._keys = keys

    async def put(
        self,
        workspace_id: UUID,
        name: str,
        kind: str,
        values: Values,
        *,
        by: str,
        expected: int | None = None,
        actor: Actor | None = None,
    ) -> CredentialView:
        """Create or replace a credential. ``by`` names who does, for the record.

        With ``expected`` it must be of that version, and 0 means that there must be none: ``CredentialConflict``
        otherwise. Raises ``CredentialInvalid`` for what cannot be kept, and ``KeysMissing``.
        """
        check_credential(name, kind, by)
        keys = self._ring()
        now = self._context.now()
        async with self._context.database.tenant(workspace_id, lock=workspace_id) as tx:
            before = await credentials.before(tx, workspace_id, name)
            if expected is not None and expected != before.version:
                raise CredentialConflict(name, expected, before.version)
            if before.id is None and before.total >= MOST_CREDENTIALS:
                raise CredentialInvalid(f"a workspace has {MOST_CREDENTIALS} credentials at most: delete some")
            if before.key is None:
                key, wrapped = key_rotation.new_data_key(self._context, keys, workspace_id)
                await data_keys.add(tx, wrapped, now)
            else:
                key = keys.unwrap(before.key)
            place = Place(workspace_id, before.id or self._context.new_id(now), name, kind, before.version + 1)
            sealed = key.seal(place, values, self._context.randomness(NONCE_BYTES))
            view = _view(await credentials.put(tx, place, sealed, by, now))
            act = done(actor, Action.CREDENTIAL_PUT, f"credential/{name}", kind=kind, version=view.version)
            await record(tx, workspace_id, now, act)
            return view

    async def list(self, workspace_id: UUID) -> tuple[CredentialView, ...]:
        """All credentials of the workspace, by name, without their values."""
        async with self._context.database.tenant(workspace_id) as tx:
            return tuple(_view(row) for row in await credentials.listed(tx, workspace_id))

    async def delete(
        self, workspace_id: UUID, name: str, *, expected: int | None = None, actor: Actor | None = None
    ) -> bool:
        """Delete a credential, of that version where one is expected. Whether there was one; its releases stay."""
        async with self._context.database.tenant(workspace_id, lock=workspace_id) as tx:
            if expected is not None:
                found = (await credentials.before(tx, workspace_id, name)).version
                if found != expected:
                    raise CredentialConflict(name, expected, found)
            deleted = await credentials.delete(tx, workspace_id, name)
            if deleted:
                act = done(actor, Action.CREDENTIAL_DELETE, f"credential/{name}")
                await record(tx, workspace_id, self._context.now(), act)
            return deleted

    async def release(self, ref: TaskRef, names: Collection[str], holder: str) -> Mapping[str, Values]:
        """What the attempt's node names of these credentials, for the holder of the attempt: all of it or nothing.

        Each is recorded as released, in the transaction that reads it. Raises ``LeaseLost`` where the attempt is not
        the holder's; ``CredentialRefused`` for a credential that its node does not name; ``CredentialMissing``;
        ``KeysMissing``, ``UnknownKey`` and ``CannotOpen`` where they cannot be decrypted.
        """
        keys = self._ring()
        now = self._context.now()
        key = TaskKey(ref.workspace_id, ref.run_id, ref.node, ref.attempt)
        wanted = {name: self._context.new_id(now) for name in sorted(set(names))}
        async with self._context.database.tenant(ref.workspace_id) as tx:
            work = await credential_releases.held(tx, key, holder, now)
            if work is None:
                raise LeaseLost(ref)
            named = _named(ref, work)
            if strange := sorted(wanted.keys() - named.keys()):
                raise CredentialRefused(f"node {ref.node} does not name the credential {', '.join(strange)}")
            found, earlier = await credential_releases.release(tx, key, wanted, holder, now)
            if missing := sorted(wanted.keys() - found.keys()):
                raise CredentialMissing(f"the workspace has no credential {', '.join(missing)}")
            if earlier + len(found) > MOST_RELEASES:
                raise CredentialRefused(
                    f"attempt {ref.attempt} of node {ref.node} was given credentials {earlier} times; the limit is "
                    f"{MOST_RELEASES}"
                )
            opened = {name: _opened(keys, each, named[name]) for name, each in found.items()}
            if found:
                versions = {name: each.place.version for name, each in found.items()}
                await record(tx, ref.workspace_id, now, released(holder, ref, versions))
            return opened

    async def releases(self, workspace_id: UUID, name: str, limit: int = 50) -> tuple[ReleaseView, ...]:
        """The newest releases of what had that name, newest first. ``limit`` is from 1 to 500, or ``ValueError``."""
        if not 1 <= limit <= MOST_LISTED:
            raise ValueError(f"limit must be from 1 to {MOST_LISTED}, not {limit}")
        async with self._context.database.tenant(workspace_id) as tx:
            rows = await credential_releases.of_credential(tx, workspace_id, name, limit)
        return tuple(
            ReleaseView(
                row.credential, row.version, row.execution_id, row.node, row.attempt, row.runner, row.released_at
            )
            for row in rows
        )

    async def rotate_data_key(self, workspace_id: UUID, actor: Actor | None = None) -> Rotation:
        """Give the workspace a new data key, and seal all its credentials under it. Versions stay as they are.

        Everything can be read throughout. May be interrupted anywhere, repeated, and done by several at once: what
        was not sealed anew lies under its old key until this is called again. A workspace without credentials gets
        no key.
        """
        return await key_rotation.rotate_data_key(self._context, self._ring(), workspace_id, actor)

    async def rotate_all_data_keys(self, actor: Actor | None = None) -> Mapping[UUID, Rotation]:
        """``rotate_data_key`` for every workspace that has a data key."""
        return await key_rotation.rotate_all_data_keys(self._context, self._ring(), actor)

    async def rewrap(self) -> Rewrapping:
        """Wrap by the current key-encryption key every data key, of all workspaces, that another one wraps.

        Everything can be read throughout by processes that have both. May be interrupted anywhere, and repeated. An
        old key-encryption key may be taken away when every process has the new one as its current one, and this has
        then been done without a failure.
        """
        return await key_rotation.rewrap(self._context, self._ring())

    def _ring(self) -> KeyRing:
        if self._keys is None:
            raise KeysMissing
        return self._keys


def _named(ref: TaskRef, work: Mapping[str, Any]) -> Mapping[str, frozenset[str]]:
    """The keys that the node names, by credential. Raises ``CredentialRefused`` where its config cannot be read."""
    try:
        config = NodeConfig.model_validate({kind: work[kind] for kind in KINDS if kind in work})
    except ValidationError:
        # Not with its words, which quote the config.
        raise CredentialRefused(f"the config of node {ref.node} cannot be read by this release of Headgate") from None
    named: dict[str, frozenset[str]] = {}
    for credential in credentials_of(config):
        named[credential.name] = named.get(credential.name, frozenset()) | {credential.key}
    return named


def _opened(keys: KeyRing, found: Stored, named: Collection[str]) -> Values:
    place = found.place
    try:
        return keys.unwrap(found.key).open(place, found.sealed).only(named)
    except KeyError as missing:
        raise CredentialMissing(f"credential {place.name} has no key {missing.args[0]}") from None
    except (CannotOpen, UnknownKey) as problem:
        _log.error(
            "credential_unreadable", workspace_id=str(place.workspace_id), credential=place.name, why=str(problem)
        )
        raise


def _view(row: Any) -> CredentialView:
    return CredentialView(
        row.name, row.kind, row.version, row.created_by, row.created_at, row.updated_by, row.updated_at
    )
