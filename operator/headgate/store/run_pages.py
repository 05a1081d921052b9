"""The statement that reads a page of runs. It counts no rows, and skips none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.store.database import Transaction
from headgate.store.ended_labels import ALL
from headgate.store.fragments import compact, literals
from headgate.store.records import to_json

_LISTED = """e.id, e.started_at, e.workflow_id, e.version_id, e.status, e.trigger_kind, e.resource, e.finished_at,
    e.duration_ms, e.error_message, e.waiting_reason, e.labels, e.mode"""
_UNDER_WAY = ("Pending", "Running", "Suspended")
_ALL_STATUSES = (*_UNDER_WAY, "Succeeded", "Failed", "Cancelled")
# Of runs (e) or of their labels (l).
_BEFORE = "AND {time} <= %(before_time)s AND ({time}, {id}) < (%(before_time)s, %(before_id)s)"
_SINCE = "AND {time} >= %(since)s"
_UNTIL = "AND {time} < %(until)s"
# In the order of indexes that do not have the id: to sort by it as well, the planner would rather take the primary key.
_BY_TIME = "ORDER BY e.started_at DESC FETCH FIRST (%(limit)s) ROWS WITH TIES"
# The workflow of that name: the one there is, or the last one there was.
_WORKFLOW_ID = """(
    SELECT id FROM headgate.workflows
    WHERE workspace_id = %(workspace_id)s AND namespace = %(namespace)s AND name = %(workflow)s
    ORDER BY deleted_at DESC NULLS FIRST LIMIT 1
)"""
# Whether all runs of the workspace that ended before there was such a table, or its column, have been given theirs.
_KNOWN = """
    known AS MATERIALIZED (
        SELECT EXISTS (
            SELECT FROM headgate.upkeep_days WHERE workspace_id = %(workspace_id)s AND {known} = '{all}'
        ) AS complete
    ),
"""
# Said twice, since a plan is made for any status: by the second condition the planner takes it that few runs have it,
# and reads them by the index of statuses. Without, it may read all runs by their primary key for those that do.
_OF_STATUS = "AND e.status = wanted.status AND e.status BETWEEN wanted.status AND wanted.status"
_UNKNOWN = "AND NOT (SELECT complete FROM known)"
_LABELLED_UNDER_WAY = f"""
    AND e.status IN ({literals(_UNDER_WAY)}) AND e.status = ANY (%(under_way)s)
    AND e.labels @> CAST(%(labels)s AS jsonb)
"""


async def page(
    tx: Transaction,
    workspace_id: UUID,
    *,
    statuses: tuple[str, ...],
    workflow: tuple[str, str] | None,
    since: datetime | None,
    until: datetime | None,
    labels: tuple[tuple[str, str], ...],
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Any]:
    """Up to ``limit`` runs, newest first, older than ``before``, from ``since`` on and before ``until``.

    Every filter is a range of one index, read in the order of the list: where there are several statuses, the newest
    runs of each are read, and merged. So a page costs the same wherever it lies and however rare its runs are. Of runs
    with labels the range is that of the first one, of the status, and of the workflow; further labels are looked up in
    each, until the page is full.
    """
    parameters: dict[str, Any] = {"workspace_id": workspace_id, "limit": limit}
    asked = _Asked(_span(parameters, since, until, before), by_workflow=workflow is not None)
    if workflow is not None:
        parameters["namespace"], parameters["workflow"] = workflow
        statuses = statuses or _ALL_STATUSES
    if labels:
        parameters["key"], parameters["value"] = labels[0]
        parameters["labels"] = to_json(dict(labels))
        every = workflow is None and set(statuses) == set(_ALL_STATUSES)
        source = asked.labelled(parameters, () if every else statuses)
    else:
        source = asked.listed(parameters, statuses)
    return await tx.rows(
        # Read once, and then named: the planner may take the names first where there are few, and would read the page
        # for each of them.
        compact(f"""
        WITH {_KNOWN.format(known=asked.known, all=ALL) if "known" in source else ""} listed AS MATERIALIZED ({source})
        SELECT listed.*, w.namespace, w.name AS workflow, v.number AS version
        FROM listed
        JOIN headgate.workflows w ON w.workspace_id = %(workspace_id)s AND w.id = listed.workflow_id
        JOIN headgate.workflow_versions v ON v.workspace_id = %(workspace_id)s AND v.id = listed.version_id
        ORDER BY listed.started_at DESC, listed.id DESC LIMIT %(limit)s
        """),  # noqa: S608 - constants
        parameters,
        # There are many forms of it, of which each names every month: planning one takes far longer than a page.
        prepare=True,
    )


def _span(
    parameters: dict[str, Any],
    since: datetime | None,
    until: datetime | None,
    before: tuple[datetime, UUID] | None,
) -> str:
    """Which part of time a page is of, for whatever lies in time."""
    span = ""
    if before is not None:
        parameters["before_time"], parameters["before_id"], span = *before, _BEFORE
    if since is not None:
        parameters["since"], span = since, f"{span} {_SINCE}"
    if until is not None:
        parameters["until"], span = until, f"{span} {_UNTIL}"
    return span


@dataclass(frozen=True)
class _Asked:
    """Where the runs of a page are read, as a source of rows that holds the page: in SQL, with its parameters."""

    span: str
    by_workflow: bool

    @property
    def known(self) -> str:
        """The column of what is known of all runs of the workspace."""
        return "workflows_from" if self.by_workflow else "labels_from"

    def _workflow(self, alias: str = "e") -> str:
        return f"AND {alias}.workflow_id = {_WORKFLOW_ID}" if self.by_workflow else ""

    def listed(self, parameters: dict[str, Any], statuses: tuple[str, ...]) -> str:
        """Runs in the order of the list: of each of the wanted statuses, where there are some."""
        if not statuses:
            return f"{self._runs()} ORDER BY e.started_at DESC, e.id DESC LIMIT %(limit)s"
        parameters["statuses"] = list(statuses)
        return f"""
            SELECT found.* FROM unnest(CAST(%(statuses)s AS text[])) AS wanted (status)
            CROSS JOIN LATERAL ({self._runs(_OF_STATUS)} {_BY_TIME}) found
        """  # noqa: S608 - constants

    def labelled(self, parameters: dict[str, Any], statuses: tuple[str, ...]) -> str:
        """Runs with the labels: of those that have ended in a certain way, of those under way, or all of them.

        All of a workflow are those that ended in any way, with those under way.
        """
        if not statuses:
            return self._looked_up("")
        sources = []
        if under_way := [status for status in statuses if status in _UNDER_WAY]:
            parameters["under_way"] = under_way
            # They are few, and have an index of their own: the first condition is that of the index.
            sources.append(f"{self._runs(_LABELLED_UNDER_WAY)} {_BY_TIME}")
        if ended := [status for status in statuses if status not in _UNDER_WAY]:
            parameters["ended"] = ended
            sources += [self._ended(), self._looked_up("AND e.status = ANY (%(ended)s)", _UNKNOWN)]
        return " UNION ALL ".join(f"({source})" for source in sources)

    def _runs(self, condition: str = "") -> str:
        return f"""
            SELECT {_LISTED} FROM headgate.workflow_executions e
            WHERE e.workspace_id = %(workspace_id)s {condition}
                {self.span.format(time="e.started_at", id="e.id")} {self._workflow()}
        """  # noqa: S608 - constants

    def _ended(self) -> str:
        """Of each wanted status the runs with the first label. A row is believed when its run says the same."""
        of_label = f"AND l.status = wanted.status {self._workflow('l')}"
        labelled = self._with_label("ended_labels", "AND e.status = l.status", of_label)
        return f"""
            SELECT found.* FROM unnest(CAST(%(ended)s AS text[])) AS wanted (status)
            CROSS JOIN LATERAL ({labelled}) found
            WHERE (SELECT complete FROM known)
        """  # noqa: S608 - constants

    def _looked_up(self, condition: str, unless: str = "") -> str:
        """Runs with the first label, of which each is looked up for what else is asked for."""
        return self._with_label("execution_labels", condition, unless)

    def _with_label(self, table: str, of_run: str, of_label: str) -> str:
        return f"""
            SELECT e.* FROM headgate.{table} l CROSS JOIN LATERAL (
                SELECT {_LISTED} FROM headgate.workflow_executions e
                WHERE e.workspace_id = %(workspace_id)s AND e.started_at = l.started_at AND e.id = l.execution_id
                    AND e.labels @> CAST(%(labels)s AS jsonb) {of_run} {self._workflow()}
                LIMIT 1
            ) e
            WHERE l.workspace_id = %(workspace_id)s AND l.key = %(key)s AND l.value = %(value)s {of_label}
                {self.span.format(time="l.started_at", id="l.execution_id")}
            ORDER BY l.started_at DESC, l.execution_id DESC LIMIT %(limit)s
        """  # noqa: S608 - constants
