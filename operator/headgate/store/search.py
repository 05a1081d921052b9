"""Statements that look for words. What has them is found by the system role, and read by the tenant's.

Words are found by an index that spans workspaces, of which each document names its own. What is found is only where
something lies: what it says is read under row-level security, which lets nothing else through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from headgate.domain.search import Place
from headgate.store.database import Transaction
from headgate.store.fragments import compact

_WORDS = "websearch_to_tsquery('pg_catalog.simple', %(words)s)"
_OWN = "CAST(quote_literal(headgate.owner_word(%(workspace_id)s)) AS tsquery)"
# A query of nothing but "or" has no words, and must not find everything.
_FITS = f"workspace_id = %(workspace_id)s AND document @@ ({_OWN} && {_WORDS}) AND numnode({_WORDS}) > 0"

_OLDER = """
    AND started_at <= %(before_time)s AND (started_at, execution_id) < (%(before_time)s, %(before_id)s)
"""


def _runs(older: str) -> str:
    return compact(f"""
        SELECT started_at, execution_id AS id FROM headgate.run_documents
        WHERE {_FITS} {older}
        ORDER BY started_at DESC, execution_id DESC LIMIT %(limit)s
    """)  # noqa: S608 - constants


_RUNS, _OLDER_RUNS = _runs(""), _runs(_OLDER)


async def runs(
    tx: Transaction, workspace_id: UUID, words: str, before: tuple[datetime, UUID] | None, limit: int
) -> list[Any]:
    """Where runs lie whose error has the words, the newest first. A system transaction's."""
    parameters = {"workspace_id": workspace_id, "words": words, "limit": limit}
    # Planned by how frequent the words are: the index finds rare ones, and of others the newest are read until it is
    # enough.
    if before is None:
        return await tx.rows(_RUNS, parameters, prepare=False)
    behind = {"before_time": before[0], "before_id": before[1]}
    return await tx.rows(_OLDER_RUNS, parameters | behind, prepare=False)


_FOUND_RUNS = compact("""
    SELECT e.id, e.started_at, e.status, e.error_message, w.namespace, w.name AS workflow
    FROM unnest(CAST(%(times)s AS timestamptz[]), CAST(%(ids)s AS uuid[])) AS found (started_at, id)
    CROSS JOIN LATERAL (
        SELECT e.id, e.started_at, e.status, e.error_message, e.workflow_id FROM headgate.workflow_executions e
        WHERE e.workspace_id = %(workspace_id)s AND e.started_at = found.started_at AND e.id = found.id
            AND e.error_message IS NOT NULL
        LIMIT 1
    ) e
    JOIN headgate.workflows w ON w.workspace_id = %(workspace_id)s AND w.id = e.workflow_id
    ORDER BY e.started_at DESC, e.id DESC
""")


async def found_runs(tx: Transaction, workspace_id: UUID, places: Sequence[tuple[datetime, UUID]]) -> list[Any]:
    """The runs that lie there, the newest first. One that has no error any more is left out."""
    times, ids = [time for time, _ in places], [run_id for _, run_id in places]
    parameters = {"workspace_id": workspace_id, "times": times, "ids": ids}
    return await tx.rows(_FOUND_RUNS, parameters, prepare=True)


_HAVING = compact(f"""
    SELECT m.id FROM unnest(CAST(%(ids)s AS uuid[]), CAST(%(messages)s AS text[])) AS m (id, message)
    WHERE headgate.document(%(workspace_id)s, m.message) @@ ({_OWN} && {_WORDS}) AND numnode({_WORDS}) > 0
""")  # noqa: S608 - constants


async def having(tx: Transaction, workspace_id: UUID, words: str, messages: Mapping[UUID, str]) -> list[UUID]:
    """Which of these errors of runs have the words, as ``runs`` has it of errors that are in the history."""
    given = {"ids": list(messages), "messages": list(messages.values())}
    rows = await tx.rows(_HAVING, {"workspace_id": workspace_id, "words": words, **given}, prepare=False)
    return [row.id for row in rows]


_BEHIND = "WHERE (rank, id) < (%(rank)s, %(id)s)"


def _ranked(table: str, identifier: str, behind: str) -> str:
    return compact(f"""
        SELECT id, rank FROM (
            SELECT {identifier} AS id, CAST(ts_rank(document, {_WORDS}) AS double precision) AS rank
            FROM headgate.{table} WHERE {_FITS}
        ) ranked {behind}
        ORDER BY rank DESC, id DESC LIMIT %(limit)s
    """)  # noqa: S608 - constants


_WORKFLOWS = _ranked("workflow_documents", "workflow_id", "")
_FURTHER_WORKFLOWS = _ranked("workflow_documents", "workflow_id", _BEHIND)


async def workflows(tx: Transaction, workspace_id: UUID, words: str, behind: Place | None, limit: int) -> list[Place]:
    """Workflows that have the words, those that fit best first. A system transaction's."""
    return await _places(tx, _WORKFLOWS, _FURTHER_WORKFLOWS, workspace_id, words, behind, limit)


_RECOMMENDATIONS = _ranked("recommendations", "id", "")
_FURTHER_RECOMMENDATIONS = _ranked("recommendations", "id", _BEHIND)


async def recommendations(
    tx: Transaction, workspace_id: UUID, words: str, behind: Place | None, limit: int
) -> list[Place]:
    """Recommendations that have the words, those that fit best first. A system transaction's."""
    return await _places(tx, _RECOMMENDATIONS, _FURTHER_RECOMMENDATIONS, workspace_id, words, behind, limit)


async def _places(
    tx: Transaction, first: str, further: str, workspace_id: UUID, words: str, behind: Place | None, limit: int
) -> list[Place]:
    parameters = {"workspace_id": workspace_id, "words": words, "limit": limit}
    if behind is None:
        rows = await tx.rows(first, parameters, prepare=False)
    else:
        rows = await tx.rows(further, parameters | {"rank": behind.rank, "id": behind.id}, prepare=False)
    return [Place(row.rank, row.id) for row in rows]


_FOUND_WORKFLOWS = compact("""
    SELECT w.id, w.namespace, w.name, v.spec ->> 'displayName' AS display_name, v.number, v.created_at
    FROM headgate.workflows w
    JOIN headgate.workflow_versions v ON v.workspace_id = w.workspace_id AND v.id = w.current_version_id
    WHERE w.workspace_id = %(workspace_id)s AND w.id = ANY (%(ids)s) AND w.deleted_at IS NULL
""")


async def found_workflows(tx: Transaction, workspace_id: UUID, ids: Sequence[UUID]) -> list[Any]:
    """The workflows of these ids that there are, in no certain order."""
    return await tx.rows(_FOUND_WORKFLOWS, {"workspace_id": workspace_id, "ids": list(ids)})


_FOUND_RECOMMENDATIONS = compact("""
    SELECT r.id, w.namespace, w.name, r.node, r.message, r.made_at
    FROM headgate.recommendations r
    JOIN headgate.workflows w ON w.workspace_id = r.workspace_id AND w.id = r.workflow_id
    WHERE r.workspace_id = %(workspace_id)s AND r.id = ANY (%(ids)s)
""")


async def found_recommendations(tx: Transaction, workspace_id: UUID, ids: Sequence[UUID]) -> list[Any]:
    """The recommendations of these ids that there are, in no certain order."""
    return await tx.rows(_FOUND_RECOMMENDATIONS, {"workspace_id": workspace_id, "ids": list(ids)})
