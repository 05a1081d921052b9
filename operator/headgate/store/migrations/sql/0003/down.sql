DROP FUNCTION headgate.room_apart;
DROP TRIGGER keep_ending ON headgate.workflow_executions;
DROP TRIGGER keep_ending_of_new ON headgate.workflow_executions;
DROP FUNCTION headgate.keep_ending();
DROP TABLE headgate.run_endings, headgate.node_memos, headgate.workflow_events,
    headgate.borrowed_places;
DROP INDEX headgate.tasks_calls;
DELETE FROM headgate.workflow_execution_steps WHERE phase = 'Pending';
ALTER TABLE headgate.workflow_execution_steps
    DROP CONSTRAINT workflow_execution_steps_phase_check,
    ADD CONSTRAINT workflow_execution_steps_phase_check
        CHECK (phase IN ('Queued', 'Running', 'Succeeded', 'Failed', 'Skipped', 'Cancelled'));
ALTER TABLE headgate.workflow_execution_steps
    DROP COLUMN log_path, DROP COLUMN log_bytes, DROP COLUMN log_truncated;
ALTER TABLE headgate.workflow_executions
    DROP COLUMN mode, DROP COLUMN priority, DROP COLUMN mutex, DROP COLUMN depth, DROP COLUMN parent_run,
    DROP COLUMN parent_node, DROP COLUMN parent_attempt, DROP COLUMN event, DROP COLUMN outputs, DROP COLUMN options,
    DROP COLUMN callers, DROP COLUMN replay_of, DROP COLUMN retries, DROP COLUMN held, DROP COLUMN cancelling;
ALTER TABLE headgate.workspace_resource_quotas DROP COLUMN weight;
DROP INDEX headgate.tasks_due;
DELETE FROM headgate.tasks WHERE kind <> 'job';
DROP INDEX headgate.tasks_approvals;
DROP INDEX headgate.tasks_runner;
ALTER TABLE headgate.tasks
    DROP COLUMN kind, DROP COLUMN priority, DROP COLUMN stopping, DROP COLUMN first_attempt, DROP COLUMN expires_at,
    DROP COLUMN losses;
ALTER TABLE headgate.tasks RENAME COLUMN work TO container;
UPDATE headgate.tasks SET container = container -> 'container';
CREATE INDEX tasks_due ON headgate.tasks (workspace_id, due_at) WHERE due_at IS NOT NULL;
