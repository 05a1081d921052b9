"""Statements about the part of the queue that runners work off."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.domain.cost import Footprint, Rate
from headgate.domain.runner_task import LOSSES, OpenRunnerTask, RunnerTask
from headgate.domain.task import TaskRef
from headgate.store.database import Transaction
from headgate.store.fragments import ONE, Source
from headgate.store.joint import Joint, Parameters, columns
from headgate.store.tasks import TaskKey, mark_running, running_parameters, set_running

LATELY = timedelta(days=2)
"""Of runs that are no older, attempts run by the statement that claims them; for others it would open every month."""

# The id of a run tells when it was made, and that is where its attempts lie.
_MADE = """timestamptz 'epoch' + CAST(CAST('x' || left(replace(CAST(t.execution_id AS text), '-', ''), 12) AS bit(48))
    AS bigint) * interval '1 millisecond'"""
_LATELY = "BETWEEN %(since)s AND %(until)s"


def _running(attempt: Source, of: str = "") -> str:
    return f"""
    marked AS ({set_running(ONE, attempt, of, f"AND s.started_at {_LATELY}")})
    SELECT c.*, c.started_at {_LATELY} AS told,
        (SELECT name FROM headgate.workspaces WHERE id = %(workspace_id)s) AS workspace
    FROM claimed c
"""  # noqa: S608 - constants


# Not by a join: while the server takes the table for a small one, it would rather read all of it.
_ONE_RUNS = _running(Source("(SELECT c.{} FROM claimed c)"))
_GIVEN = "due_at = %(lease_until)s, waiting_reason = NULL, waiting_message = NULL, waiting_until = NULL"
_TASK = f"""t.execution_id AS run_id, {_MADE} AS started_at, t.node, t.attempt, t.namespace, t.workflow, t.work,
        t.expires_at"""


def _due(source: Source) -> str:
    return f"""workspace_id = %(workspace_id)s AND kind = 'runner' AND namespace = {source["namespace"]}
            AND due_at <= {source["now"]} AND expires_at > {source["now"]} AND NOT stopping"""


def _of_any(source: Source) -> str:
    return f"""AND NOT needs_secrets AND losses + (holder IS NOT NULL)::int < {source["losses"]}
            AND work ?| {source["kinds"]}"""


def due_of_any(source: Source) -> str:
    """The condition of what runners of a pool may claim, who have room for ``kinds``."""
    return f"{_due(source)} {_of_any(source)}"


DUE = _due(ONE)
"""What a runner of the namespace may claim, with ``OF_RUN`` or ``OF_ANY``."""
# Of a named run by its primary key, of any run by the index of what is due: one statement for both would read either.
_CLAIM = f"""
    WITH chosen AS (
        SELECT execution_id, node, attempt FROM headgate.tasks
        WHERE {DUE} {{of_run}}
        ORDER BY priority DESC, due_at, node LIMIT 1
        FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE headgate.tasks t SET {_GIVEN}, holder = %(holder)s{{counted}}
        FROM chosen c
        WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = c.execution_id AND t.node = c.node
            AND t.attempt = c.attempt
        RETURNING {_TASK}
    ), {{running}}
"""  # noqa: S608 - constants
OF_RUN = "AND execution_id = %(run_id)s"
_CLAIM_OF_RUN = _CLAIM.format(of_run=OF_RUN, counted="", running=_ONE_RUNS)
# In the order in which they fell due, whatever their run: a run has as many due as it may have under way, so that long
# ones and short ones take turns. Nobody tells when a runner of a pool dies, but that somebody else takes what it had.
OF_ANY = _of_any(ONE)
_COUNTED = ", losses = losses + (t.holder IS NOT NULL)::int"
_CLAIM_OF_ANY = _CLAIM.format(of_run=OF_ANY, counted=_COUNTED, running=_ONE_RUNS)

_CLAIM_SEVERAL = f"""
    WITH {columns(holder="text")}, chosen AS MATERIALIZED (
        SELECT execution_id, node, attempt FROM headgate.tasks
        WHERE {DUE} {{of_any}}
        ORDER BY priority DESC, due_at, node LIMIT %(count)s
        FOR UPDATE SKIP LOCKED
    ), given AS (
        SELECT c.*, a.number, a.holder FROM (SELECT *, row_number() OVER () AS place FROM chosen) c
        JOIN (SELECT *, row_number() OVER (ORDER BY number) AS place FROM asked) a ON a.place = c.place
    ), claimed AS (
        UPDATE headgate.tasks t SET {_GIVEN}, holder = g.holder{{counted}}
        FROM given g
        WHERE t.workspace_id = %(workspace_id)s AND t.execution_id = g.execution_id AND t.node = g.node
            AND t.attempt = g.attempt
        RETURNING g.number, {_TASK}
    ), {{running}}
""".format(of_any=OF_ANY, counted=_COUNTED, running=_running(Source("c.{}"), "FROM claimed c"))  # noqa: S608 - constants


def _of_all(asked: Sequence[Parameters]) -> Parameters:
    """As the last of them asks: what one of them has just queued is due for all."""
    latest = max(asked, key=lambda each: each["now"])
    return {**latest, "count": len(asked)}


def _alike(parameters: Parameters) -> Hashable:
    return parameters["namespace"], tuple(parameters["kinds"])


_CLAIM_FOR_POOL = Joint(20, _CLAIM_OF_ANY, _CLAIM_SEVERAL, _of_all, _alike)


async def claim(
    tx: Transaction,
    workspace_id: UUID,
    namespace: str,
    run_id: UUID | None,
    *,
    holder: str,
    now: datetime,
    lease_until: datetime,
    kinds: Collection[str] = (),
    rate: Rate | None = None,
    held: Footprint | None = None,
) -> RunnerTask | None:
    """Lease the next due task of the run or, without one, of these kinds of any run of the namespace, and have it run.

    The latter leaves alone what needs Secrets, and what took several runners with it. While it runs it holds ``held``,
    at that price.
    """
    parameters = {
        "workspace_id": workspace_id,
        "namespace": namespace,
        "run_id": run_id,
        "holder": holder,
        "now": now,
        "lease_until": lease_until,
        "kinds": list(kinds),
        "losses": LOSSES,
        "since": now - LATELY,
        "until": now + LATELY,
        **running_parameters(now, rate, held),
    }
    rows = await (tx.joint(_CLAIM_FOR_POOL, parameters) if run_id is None else tx.rows(_CLAIM_OF_RUN, parameters))
    if not rows:
        return None
    [row] = rows
    if not row.told:
        key = TaskKey(workspace_id, row.run_id, row.node, row.attempt)
        await mark_running(tx, key, row.started_at, now, rate, held)
    ref = TaskRef(workspace_id, row.run_id, row.node, row.attempt)
    return RunnerTask(ref, row.workspace, row.namespace, row.workflow, row.work, row.expires_at)


_EXTEND = """
    UPDATE headgate.tasks SET due_at = %(lease_until)s
    WHERE workspace_id = %(workspace_id)s AND execution_id = %(run_id)s AND node = %(node)s AND attempt = %(attempt)s
        AND kind = 'runner' AND holder = %(holder)s AND expires_at > %(now)s
    RETURNING stopping
"""


async def extend(tx: Transaction, key: TaskKey, holder: str, now: datetime, lease_until: datetime) -> bool | None:
    """Make the holder's lease longer, and return whether the task is asked to end.

    None where the task is not the holder's, or must have ended by now.
    """
    parameters = {"holder": holder, "now": now, "lease_until": lease_until}
    row = await tx.row(_EXTEND, key.parameters() | parameters)
    return None if row is None else bool(row.stopping)


_GIVE_BACK = """
    UPDATE headgate.tasks SET due_at = %(now)s, holder = NULL
    WHERE workspace_id = %(workspace_id)s AND execution_id = %(run_id)s AND node = %(node)s AND attempt = %(attempt)s
        AND kind = 'runner' AND holder = %(holder)s
    RETURNING namespace
"""


async def give_back(tx: Transaction, key: TaskKey, holder: str, now: datetime) -> str | None:
    """End the holder's lease of a task, which counts as no loss. The task's namespace; None where it is not its."""
    parameters = {"holder": holder, "now": now}
    namespace: str | None = await tx.value(_GIVE_BACK, key.parameters() | parameters)
    return namespace


_RELEASE = """
    WITH held AS (
        UPDATE headgate.tasks SET due_at = %(now)s, holder = NULL, losses = losses + 1
        WHERE workspace_id = %(workspace_id)s AND execution_id = %(run_id)s AND kind = 'runner'
            AND starts_with(holder, %(holders)s)
        RETURNING node
    ), waiting AS (
        UPDATE headgate.tasks SET losses = losses + 1
        WHERE workspace_id = %(workspace_id)s AND execution_id = %(run_id)s AND kind = 'runner'
            AND holder IS NULL AND due_at <= %(now)s AND NOT EXISTS (SELECT FROM held)
        RETURNING node
    )
    SELECT (SELECT count(*) FROM held) + (SELECT count(*) FROM waiting)
"""


async def release(tx: Transaction, workspace_id: UUID, run_id: UUID, holders: str, now: datetime) -> int:
    """Make due what holders whose names begin like that have, and count their loss.

    Where they held nothing it counts for all that was due: it is for that they were made.
    """
    parameters = {"workspace_id": workspace_id, "run_id": run_id, "holders": holders, "now": now}
    return int(await tx.value(_RELEASE, parameters) or 0)


_OPEN = """
    SELECT t.workspace_id, t.execution_id, t.node, t.attempt, w.name AS workspace, t.namespace, t.workflow,
        t.due_at, t.expires_at, t.holder, t.losses, t.stopping, t.needs_secrets,
        CASE WHEN t.work ? 'script' THEN 'script' WHEN t.work ? 'sql' THEN 'sql'
            WHEN t.work ? 'connector' THEN 'connector' ELSE 'http' END AS config
    FROM headgate.tasks t JOIN headgate.workspaces w ON w.id = t.workspace_id
    WHERE t.kind = 'runner'
    ORDER BY t.workspace_id, t.execution_id, t.node, t.attempt
"""


async def open_tasks(tx: Transaction) -> list[OpenRunnerTask]:
    """All that is for runners, in all workspaces."""
    return [_open(row) for row in await tx.rows(_OPEN)]


def _open(row: Any) -> OpenRunnerTask:
    return OpenRunnerTask(
        ref=TaskRef(row.workspace_id, row.execution_id, row.node, row.attempt),
        workspace=row.workspace,
        namespace=row.namespace,
        workflow=row.workflow,
        due_at=row.due_at,
        expires_at=row.expires_at,
        holder=row.holder,
        losses=row.losses,
        stopping=row.stopping,
        kind=row.config,
        needs_secrets=row.needs_secrets,
    )
