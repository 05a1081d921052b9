"""Parts that several statements share: they take what ``RunKey.parameters`` gives, and rows by ``rows_to_json``."""

from __future__ import annotations


def insert_steps(tail: str) -> str:
    """Adds the rows of ``%(steps)s``; ``tail`` follows the FROM clause."""
    return f"""
    INSERT INTO headgate.workflow_execution_steps (workspace_id, execution_id, started_at, node, attempt, phase, branch,
        reason, message, exit_code, output, attempt_started_at, attempt_finished_at)
    SELECT %(workspace_id)s, %(run_id)s, %(started_at)s, s.node, s.attempt, s.phase, s.branch, s.reason, s.message,
        s.exit_code,
        s.output, s.attempt_started_at, s.attempt_finished_at
    FROM jsonb_to_recordset(CAST(%(steps)s AS jsonb)) AS s (node text, attempt integer, phase text, branch text,
        reason text, message text, exit_code integer, output jsonb, attempt_started_at timestamptz,
        attempt_finished_at timestamptz) {tail}
    """  # noqa: S608 - constants


def insert_tasks(tail: str) -> str:
    """Adds the rows of ``%(tasks)s`` for ``%(workflow)s`` in ``%(namespace)s``; ``tail`` follows the FROM clause."""
    return f"""
    INSERT INTO headgate.tasks (workspace_id, execution_id, node, attempt, namespace, workflow, work,
        timeout_seconds, due_at, waiting_reason, waiting_message, waiting_until, kind, expires_at)
    SELECT %(workspace_id)s, %(run_id)s, t.node, t.attempt, %(namespace)s, %(workflow)s, t.work,
        t.timeout_seconds, t.due_at,
        t.waiting_reason, t.waiting_message, t.waiting_until, t.kind,
        CASE t.kind WHEN 'runner' THEN t.due_at + make_interval(secs => t.timeout_seconds) END
    FROM jsonb_to_recordset(CAST(%(tasks)s AS jsonb)) AS t (node text, attempt integer, work jsonb, kind text,
        timeout_seconds integer, due_at timestamptz, waiting_reason text, waiting_message text,
        waiting_until timestamptz) {tail}
    """  # noqa: S608 - constants


OVERWRITE = """
    ON CONFLICT (workspace_id, started_at, execution_id, node, attempt) DO UPDATE
    SET phase = excluded.phase, branch = excluded.branch, reason = excluded.reason, message = excluded.message,
        exit_code = excluded.exit_code, output = excluded.output,
        attempt_started_at = coalesce(excluded.attempt_started_at, workflow_execution_steps.attempt_started_at),
        attempt_finished_at = excluded.attempt_finished_at
"""
"""Follows ``insert_steps`` where rows may be there: a start that is known stays."""


def compact(statement: str) -> str:
    """The statement without the white space that is for people: psycopg parses anew what exceeds 4096 characters."""
    return " ".join(statement.split())
