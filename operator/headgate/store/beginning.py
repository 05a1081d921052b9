"""What transactions begin with: all that one needs is set inside of it, together with its beginning, in one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from headgate.store.roles import APP, SYSTEM

# The plans of a tenant's statements do not depend on their values: they read ranges of indexes, and leave partitions
# out as they start. So the server plans each once for a connection; planning takes several times as long as carrying
# out, the more so the more months there are. What crosses workspaces depends on how much there is, and is planned anew.
_TENANT_PLANS, _SYSTEM_PLANS = "force_generic_plan", "auto"
_BEGIN = "BEGIN;"
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"


def _each(settings: Mapping[str, str]) -> str:
    return ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())


BY_INDEX = ", " + _each(dict.fromkeys(("enable_bitmapscan", "enable_seqscan", "enable_sort"), "off"))
"""Goes on a SELECT. A queue that was empty when statistics were taken, and is long now, is read as if it were empty.

And a bitmap looks at all that has left the queue since it was vacuumed, where an index forgets what was found gone.
"""
BY_LOOPS = ", " + _each(dict.fromkeys(("enable_hashjoin", "enable_mergejoin", "enable_memoize"), "off"))
"""Goes on a SELECT. A list of what is asked for says nothing of how long it is, and tables may be larger than
statistics have it.

What one gets of it who asks as another one did is never taken from that one's answer.
"""
HELD = "current_setting('app.held') = 'true'"
"""Whether the run is held for the statement that asks, where ``AT_ONCE`` tried to."""


def tenant(workspace_id: UUID, timeouts: Mapping[str, str], *, snapshot: bool = False) -> str:
    """Of a transaction that sees the rows of one workspace: ends with a SELECT."""
    # A UUID by its number is nothing else, whatever was given as one.
    of = {"role": APP, "app.workspace_id": str(UUID(int=workspace_id.int)), "plan_cache_mode": _TENANT_PLANS}
    return f"{_SNAPSHOT if snapshot else _BEGIN} SELECT {_each({**of, **timeouts})}"


def system(timeouts: Mapping[str, str]) -> str:
    """Of one that sees what crosses workspaces: ends with a SELECT."""
    of = {"role": SYSTEM, "app.workspace_id": "", "plan_cache_mode": _SYSTEM_PLANS}
    return f"{_BEGIN} SELECT {_each({**of, **timeouts})}"


def lock(identifier: int) -> str:
    """Goes on a SELECT: wait until no other transaction holds it, and hold it."""
    return f", pg_advisory_xact_lock({identifier})"


def share(identifier: int) -> str:
    """Goes on a SELECT: as ``lock``, beside others that share it."""
    return f", pg_advisory_xact_lock_shared({identifier})"


def tries(identifiers: Sequence[int]) -> str:
    """Goes after a SELECT: hold those that no other transaction holds. Gives which, in their order, as ``held``."""
    tried = ", ".join(f"pg_try_advisory_xact_lock({identifier})" for identifier in identifiers)
    return f"; SELECT ARRAY[{tried}]::boolean[] AS held"


def at_once(timeouts: Mapping[str, str]) -> str:
    """Of one that is sent whole, with its one statement: takes ``workspace_id`` and ``lock``.

    Nobody can leave out a part of it by what another part came to. So where the run is held by another transaction, it
    goes on: the statement that follows looks at ``HELD``.
    """
    held = "set_config('app.held', CAST(pg_try_advisory_xact_lock(%(lock)s) AS text), true)"
    of = {"role": APP, "plan_cache_mode": _TENANT_PLANS, **timeouts}
    tenant_of = "set_config('app.workspace_id', %(workspace_id)s, true)"
    # In a list that is counted: their values are of no use, and columns would all have the same name.
    return f"SELECT cardinality(ARRAY[{_each(of)}, {tenant_of}{BY_INDEX}, {held}])"


def number(identifier: UUID) -> int:
    """The random half of a UUIDv7 as Postgres' signed 64-bit advisory lock. A clash only makes two runs take turns."""
    return int.from_bytes(identifier.bytes[8:], signed=True)
