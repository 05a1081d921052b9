"""The statement that admits several runs at once."""

from __future__ import annotations

from headgate.store.fragments import SEVERAL, UNCOUNTED, compact, insert_steps, insert_tasks, literals
from headgate.store.joint import columns

PLAIN = """workspace_id, id, started_at, workflow_id, version_id, status, trigger_kind, trigger_key, trigger_node,
            resource, inputs, waiting_reason, waiting_until, running_since, deadline, finished_at, duration_ms,
            error_message, outputs, probe, mode, priority, depth, event, options, replay_of, labels"""
"""Columns of a run that waits for no other one."""

_RUN = {
    "run_id": "uuid",
    "started_at": "timestamptz",
    "workflow_id": "uuid",
    "version_id": "uuid",
    "namespace": "text",
    "workflow": "text",
    "now": "timestamptz",
    "today": "date",
    "status": "text",
    "kept": "bigint",
    "given": "bigint",
    "slots": "integer",
    "deadline": "timestamptz",
    "finished_at": "timestamptz",
    "duration_ms": "bigint",
    "error_message": "text",
    "outputs": "text",
    "steps": "text",
    "tasks": "text",
    "trigger_kind": "text",
    "trigger_key": "text",
    "trigger_node": "text",
    "resource": "text",
    "inputs": "text",
    "mode": "text",
    "priority": "integer",
    "depth": "integer",
    "event": "text",
    "options": "text",
    "replay_of": "uuid",
    "labels": "text",
}
_IF_STARTED = "WHERE a.started = 1"
# Room is decided, and taken, for one after the other: each sees what those before it took. It is so for runs that wait
# for nothing but room: what else a run may wait for is told by runs, and those of this statement cannot be seen by it.
ADMIT_SEVERAL = compact(f"""
    WITH {columns(**_RUN).replace("asked AS", "listed AS", 1)}, asked AS (
        SELECT l.*, r.reason, r.refused, r.until, r.probe, r.started, c.done
        FROM listed l CROSS JOIN LATERAL (
            SELECT m.*, CASE WHEN m.reason IS NULL THEN 1 ELSE 0 END AS started,
                CASE WHEN m.reason NOT IN ({literals(UNCOUNTED)}) THEN 1 ELSE 0 END AS queued
            FROM headgate.room(%(workspace_id)s, l.workflow_id, l.now, l.kept, l.given, 0, false, NULL, NULL,
                '{{}}') m
        ) r CROSS JOIN LATERAL (
            SELECT CASE WHEN NOT r.refused AND r.started + r.queued > 0
                THEN headgate.take_place(%(workspace_id)s, l.today, r.started * l.slots, r.queued, r.started,
                    r.started * (l.kept + l.given), r.probe, l.run_id, NULL) END AS done
        ) c
    ), reserved AS (
        INSERT INTO headgate.execution_triggers (workspace_id, trigger_key, execution_id, created_at)
        SELECT %(workspace_id)s, a.trigger_key, a.run_id, a.started_at FROM asked a WHERE NOT a.refused
        ON CONFLICT (workspace_id, trigger_key) DO NOTHING
        RETURNING execution_id
    ), run AS (
        INSERT INTO headgate.workflow_executions ({PLAIN})
        SELECT %(workspace_id)s, a.run_id, a.started_at, a.workflow_id, a.version_id,
            CASE a.started WHEN 1 THEN a.status ELSE 'Pending' END, a.trigger_kind, a.trigger_key, a.trigger_node,
            a.resource, CAST(a.inputs AS jsonb), a.reason, a.until, b.*, a.probe, a.mode, a.priority, a.depth,
            CAST(a.event AS jsonb), CAST(a.options AS jsonb), a.replay_of, CAST(a.labels AS jsonb)
        FROM asked a LEFT JOIN LATERAL (SELECT a.now, a.deadline, a.finished_at, a.duration_ms, a.error_message,
            CAST(a.outputs AS jsonb)) b ON a.started = 1
        WHERE NOT a.refused
    ), steps AS ({insert_steps(_IF_STARTED, begun=True, source=SEVERAL)}),
    queue AS ({insert_tasks(_IF_STARTED, "a.priority", leased=True, source=SEVERAL)})
    SELECT a.number, a.reason, a.refused, a.until, a.probe, NULL AS mutex,
        EXISTS (SELECT FROM reserved r WHERE r.execution_id = a.run_id) AS kept
    FROM asked a
""")  # noqa: S608 - constants
