"""Parts that several statements share: they take what ``RunKey.parameters`` gives, and rows by ``rows_to_json``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Where a statement has what is asked for from."""

    of: str
    """Goes around the name of each value."""
    rows: str = ""
    """Begins the FROM clause."""

    def __getitem__(self, name: str) -> str:
        """The value of that name."""
        return self.of.format(name)


ONE = Source("%({})s")
"""Parameters."""
SEVERAL = Source("a.{}", "asked a CROSS JOIN LATERAL ")
"""Rows of a list, as ``joint.columns`` makes one: for all of them the same is done."""


def insert_steps(tail: str, *, priced: bool = False, begun: bool = False, source: Source = ONE) -> str:
    """Adds the rows of ``steps``, with their prices where ``priced``; ``tail`` follows the FROM clause.

    Of such as may have ``begun`` already it adds at what price, and what they hold.
    """
    more = _PRICED if priced else _BEGUN if begun else {}
    columns = "".join(f", {name}" for name in more)
    types = "".join(f", {name} {kind}" for name, kind in more.items())
    named = "AS was" if OVERWRITE in tail else ""
    return f"""
    INSERT INTO headgate.workflow_execution_steps {named} (workspace_id, execution_id, started_at, node, attempt, phase,
        branch, reason, message, exit_code, output, attempt_started_at, attempt_finished_at{columns})
    SELECT %(workspace_id)s, {source["run_id"]}, {source["started_at"]}, s.*
    FROM {source.rows}jsonb_to_recordset(CAST({source["steps"]} AS jsonb)) AS s (node text, attempt integer,
        phase text, branch text, reason text, message text, exit_code integer, output jsonb,
        attempt_started_at timestamptz, attempt_finished_at timestamptz{types}) {tail}
    """  # noqa: S608 - constants


_BEGUN = {
    "hourly_rate": "numeric",
    "price_version": "text",
    "cpu_requested": "numeric",
    "memory_requested": "numeric",
}
_PRICED = {**_BEGUN, "cpu_used": "numeric", "memory_used": "numeric"}


def priority_of_run(source: Source = ONE) -> str:
    """The priority of a run that is there."""
    return f"""(SELECT e.priority FROM headgate.workflow_executions e WHERE e.workspace_id = %(workspace_id)s
    AND e.started_at = {source["started_at"]} AND e.id = {source["run_id"]})"""  # noqa: S608 - constants


def insert_tasks(tail: str, priority: str | None = None, *, leased: bool = False, source: Source = ONE) -> str:
    """Adds the rows of ``tasks`` for ``workflow`` in ``namespace``; ``tail`` follows the FROM clause.

    They get the run's priority; ``priority`` gives it where the statement is the one that adds the run. Where they may
    be ``leased`` already, their leases end when they are due.
    """
    holder, its, begins, types = _LEASED if leased else ("", "", "t.due_at", "")
    return f"""
    INSERT INTO headgate.tasks (workspace_id, execution_id, node, attempt, namespace, workflow, work,
        timeout_seconds, due_at, waiting_reason, waiting_message, waiting_until, kind, first_attempt,
        priority, expires_at{holder})
    SELECT %(workspace_id)s, {source["run_id"]}, t.node, t.attempt, {source["namespace"]}, {source["workflow"]}, t.work,
        t.timeout_seconds, t.due_at, t.waiting_reason, t.waiting_message, t.waiting_until, t.kind, t.first_attempt,
        {priority or priority_of_run(source)},
        CASE t.kind WHEN 'runner' THEN {begins} + make_interval(secs => t.timeout_seconds) END{its}
    FROM {source.rows}jsonb_to_recordset(CAST({source["tasks"]} AS jsonb)) AS t (node text, attempt integer,
        work jsonb, kind text, timeout_seconds integer, due_at timestamptz, waiting_reason text, waiting_message text,
        waiting_until timestamptz, first_attempt integer{types}) {tail}
    """  # noqa: S608 - constants


_LEASED = (", holder", ", t.holder", "coalesce(t.claimed_at, t.due_at)", ", holder text, claimed_at timestamptz")


OVERWRITE = """
    ON CONFLICT (workspace_id, started_at, execution_id, node, attempt) DO UPDATE
    SET phase = excluded.phase, branch = excluded.branch, reason = excluded.reason, message = excluded.message,
        exit_code = excluded.exit_code, output = excluded.output,
        attempt_started_at = coalesce(excluded.attempt_started_at, was.attempt_started_at),
        attempt_finished_at = excluded.attempt_finished_at
"""
"""Follows ``insert_steps`` where rows may be there, each as it ``was``: a start that is known stays."""

PRICED = """
    , hourly_rate = CASE WHEN was.price_version IS DISTINCT FROM excluded.price_version
        THEN coalesce(was.hourly_rate, excluded.hourly_rate)
        ELSE greatest(was.hourly_rate, excluded.hourly_rate) END,
    price_version = coalesce(was.price_version, excluded.price_version),
    cpu_used = excluded.cpu_used, memory_used = excluded.memory_used,
    cpu_requested = coalesce(excluded.cpu_requested, was.cpu_requested),
    memory_requested = coalesce(excluded.memory_requested, was.memory_requested)
"""
"""Follows ``OVERWRITE`` after ``priced`` steps: the price at which an attempt began stays too.

What it was measured to use makes it dearer, where prices are still those.
"""

OWN_LIMITS = ("WorkflowConcurrency", "Mutex")
"""Reasons of runs that wait for others of their workflow, or for a mutex."""
UNCOUNTED = ("WorkflowSuspended", *OWN_LIMITS)
"""Reasons of runs that are not counted as queued: they hold up none that come after them."""


def literals(words: Iterable[str]) -> str:
    """Words of ours as a list in SQL."""
    return ", ".join(f"'{word}'" for word in words)


_CAST = re.compile(r"CAST\((%\(\w+\)s|[\w.]+) AS (\w+(?:\[\])?)\)")
_AROUND = re.compile(r"(?<=\() | (?=\))")


def compact(statement: str) -> str:
    """The statement without what is for people: psycopg parses anew what exceeds 4096 characters.

    White space, that is, and the long form of casts.
    """
    return _CAST.sub(r"\1::\2", _AROUND.sub("", " ".join(statement.split())))
