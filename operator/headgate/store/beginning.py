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


def _off(*ways: str) -> Mapping[str, str]:
    return {f"enable_{way}": "off" for way in ways}


BY_INDEX = f", ARRAY[{_each(_off('bitmapscan', 'seqscan', 'sort'))}] AS by_index"
"""Goes on a SELECT. A queue that was empty when statistics were taken, and is long now, is read as if it were empty.

And a bitmap looks at all that has left the queue since it was vacuumed, where an index forgets what was found gone.
"""
BY_LOOPS = f", ARRAY[{_each(_off('hashjoin', 'mergejoin', 'memoize'))}] AS by_loops"
"""Goes on a SELECT. A list of what is asked for says nothing of how long it is, and tables may be larger than
statistics have it.

What one gets of it who asks as another one did is never taken from that one's answer.
"""
HELD = "current_setting('app.held') = 'true'"
"""Whether the run is held for the statement that asks, where ``AT_ONCE`` tried to."""


def tenant(workspace_id: UUID, settings: Mapping[str, str], *, snapshot: bool = False) -> str:
    """Of a transaction that sees the rows of one workspace: ends with a SELECT."""
    # A UUID by its number is nothing else, whatever was given as one.
    of = {"role": APP, "app.workspace_id": str(UUID(int=workspace_id.int)), "plan_cache_mode": _TENANT_PLANS}
    return f"{_SNAPSHOT if snapshot else _BEGIN} SELECT ARRAY[{_each({**of, **settings})}] AS set"


def system(settings: Mapping[str, str]) -> str:
    """Of one that sees what crosses workspaces: ends with a SELECT."""
    of = {"role": SYSTEM, "app.workspace_id": "", "plan_cache_mode": _SYSTEM_PLANS}
    return f"{_BEGIN} SELECT ARRAY[{_each({**of, **settings})}] AS set"


def lock(identifier: int) -> str:
    """Goes on a SELECT: wait until no other transaction holds it, and hold it."""
    return f", pg_advisory_xact_lock({identifier})"


def share(identifier: int) -> str:
    """Goes on a SELECT: as ``lock``, beside others that share it."""
    return f", pg_advisory_xact_lock_shared({identifier})"


def tries(identifiers: Sequence[int]) -> str:
    """Goes on a SELECT: hold those that no other transaction holds. Gives which, in their order, as ``held``."""
    tried = ", ".join(f"pg_try_advisory_xact_lock({identifier})" for identifier in identifiers)
    return f", ARRAY[{tried}]::boolean[] AS held"


def at_once(settings: Mapping[str, str], *, held: bool) -> str:
    """Of one that is sent whole, with its one statement: takes ``workspace_id`` and, with ``held``, ``lock``.

    Nobody can leave out a part of it by what another part came to. So where the run is held by another transaction, it
    goes on: the statement that follows looks at ``HELD``.
    """
    each = [_each({"role": APP, "plan_cache_mode": _TENANT_PLANS, **settings})]
    each.append("set_config('app.workspace_id', %(workspace_id)s, true)")
    if held:
        each.append("set_config('app.held', CAST(pg_try_advisory_xact_lock(%(lock)s) AS text), true)")
    # Who has a run held reads its rows and queues.
    return f"SELECT ARRAY[{', '.join(each)}] AS set{BY_INDEX if held else ''}"


def number(identifier: UUID) -> int:
    """The random half of a UUIDv7 as Postgres' signed 64-bit advisory lock. A clash only makes two runs take turns."""
    return int.from_bytes(identifier.bytes[8:], signed=True)
