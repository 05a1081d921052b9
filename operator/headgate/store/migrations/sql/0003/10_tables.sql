-- More kinds of work than Jobs, runs that belong to other runs, and what steers runs. Columns have constant defaults,
-- so that no row is rewritten.

ALTER TABLE headgate.tasks RENAME COLUMN container TO work;
UPDATE headgate.tasks SET work = jsonb_build_object('container', work);
ALTER TABLE headgate.tasks
    ADD COLUMN kind text NOT NULL DEFAULT 'job' CHECK (kind IN ('job', 'runner', 'call', 'approval')),
    ADD COLUMN priority integer NOT NULL DEFAULT 0 CHECK (priority BETWEEN -100 AND 100);
COMMENT ON COLUMN headgate.tasks.kind IS 'Who does the work: a Job, a runner, another run, or a person.';
COMMENT ON COLUMN headgate.tasks.work IS 'The node''s config, with all expressions replaced.';
COMMENT ON COLUMN headgate.tasks.priority IS 'That of the run: within a workspace higher ones are claimed first.';
ALTER TABLE headgate.tasks
    ADD COLUMN stopping boolean NOT NULL DEFAULT false,
    ADD COLUMN first_attempt integer NOT NULL DEFAULT 1 CHECK (first_attempt BETWEEN 1 AND attempt),
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN losses integer NOT NULL DEFAULT 0 CHECK (losses >= 0);
COMMENT ON COLUMN headgate.tasks.stopping IS 'It was asked to end: however it fails, it was cancelled.';
COMMENT ON COLUMN headgate.tasks.first_attempt IS 'The attempt from which the node''s retries count: a run that is retried begins anew.';
CREATE INDEX tasks_approvals ON headgate.tasks (workspace_id, due_at) WHERE kind = 'approval';
COMMENT ON COLUMN headgate.tasks.expires_at IS 'When its timeout has passed; null where a Job keeps to it.';
CREATE INDEX tasks_runner ON headgate.tasks (workspace_id, execution_id) WHERE kind = 'runner';
COMMENT ON COLUMN headgate.tasks.losses IS 'Runners of its run that died while it was open.';
DROP INDEX headgate.tasks_due;
CREATE INDEX tasks_due ON headgate.tasks (workspace_id, kind, priority DESC, due_at) WHERE due_at IS NOT NULL;

ALTER TABLE headgate.workspace_resource_quotas
    ADD COLUMN weight integer NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 100);
COMMENT ON COLUMN headgate.workspace_resource_quotas.weight IS 'Tasks claimed for one of a workspace of weight 1, when both wait.';

ALTER TABLE headgate.workflow_executions
    ADD COLUMN mode text NOT NULL DEFAULT 'Normal' CHECK (mode IN ('Normal', 'Test', 'Debug')),
    ADD COLUMN priority integer NOT NULL DEFAULT 0 CHECK (priority BETWEEN -100 AND 100),
    ADD COLUMN mutex text CHECK (octet_length(mutex) <= 1024),
    ADD COLUMN depth integer NOT NULL DEFAULT 0 CHECK (depth BETWEEN 0 AND 16),
    ADD COLUMN parent_run uuid,
    ADD COLUMN parent_node text,
    ADD COLUMN parent_attempt integer,
    ADD COLUMN callers uuid[] NOT NULL DEFAULT '{}' CHECK (cardinality(callers) <= 16),
    ADD COLUMN event jsonb,
    ADD COLUMN outputs jsonb,
    ADD COLUMN options jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN replay_of uuid,
    ADD COLUMN retries integer NOT NULL DEFAULT 0 CHECK (retries >= 0),
    ADD COLUMN held text CHECK (octet_length(held) <= 1024),
    ADD COLUMN cancelling boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN headgate.workflow_executions.mode IS 'Test and Debug runs count for no quota, health or cost figure.';
COMMENT ON COLUMN headgate.workflow_executions.mutex IS 'Runs of the workspace with the same one never run at the same time.';
COMMENT ON COLUMN headgate.workflow_executions.depth IS 'How many runs called, or set off, each other up to this one.';
COMMENT ON COLUMN headgate.workflow_executions.parent_run IS 'The run of which a node called this one.';
COMMENT ON COLUMN headgate.workflow_executions.callers IS 'The runs that wait for its end: the one that called it last, before it the one that called that one, and so on.';
COMMENT ON COLUMN headgate.workflow_executions.event IS 'The end of another run that set this one off.';
COMMENT ON COLUMN headgate.workflow_executions.options IS 'What a Test or Debug run does otherwise.';
COMMENT ON COLUMN headgate.workflow_executions.retries IS 'How often its failed nodes were run again.';
COMMENT ON COLUMN headgate.workflow_executions.held IS 'Why no further node starts while it is Suspended.';
COMMENT ON COLUMN headgate.workflow_executions.cancelling IS 'It was asked to end: only final nodes start.';
CREATE INDEX workflow_executions_mutex ON headgate.workflow_executions (workspace_id, mutex, status)
    WHERE mutex IS NOT NULL AND status IN ('Pending', 'Running', 'Suspended');
CREATE INDEX workflow_executions_parent ON headgate.workflow_executions (workspace_id, parent_run)
    WHERE parent_run IS NOT NULL;

ALTER TABLE headgate.workflow_execution_steps
    ADD COLUMN log_path text CHECK (octet_length(log_path) <= 1024),
    ADD COLUMN log_bytes bigint,
    ADD COLUMN log_truncated boolean;
COMMENT ON COLUMN headgate.workflow_execution_steps.log_path IS 'Where its log lies in the object store; NULL where none was kept.';

ALTER TABLE headgate.workflow_execution_steps
    DROP CONSTRAINT workflow_execution_steps_phase_check,
    ADD CONSTRAINT workflow_execution_steps_phase_check
        CHECK (phase IN ('Pending', 'Queued', 'Running', 'Succeeded', 'Failed', 'Skipped', 'Cancelled'));
COMMENT ON COLUMN headgate.workflow_execution_steps.phase IS 'Pending only where the run was retried: the attempt that the node makes next.';

-- An outbox: written in the transaction that ends a run, taken off by the one that acts on it.
CREATE TABLE headgate.run_endings (
    workspace_id  uuid NOT NULL,
    run_id        uuid NOT NULL,
    namespace     text NOT NULL,
    workflow      text NOT NULL,
    phase         text NOT NULL,
    ended_at      timestamptz NOT NULL,
    due_at        timestamptz NOT NULL,
    failures      integer NOT NULL DEFAULT 0,
    started_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, run_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE headgate.run_endings IS 'Runs that ended and for whose end something waits: a node that called them, or triggers of other workflows.';
COMMENT ON COLUMN headgate.run_endings.started_at IS 'That of the run, which leads to its partition.';
CREATE INDEX run_endings_due ON headgate.run_endings (workspace_id, due_at);

-- What waits for the ends of other workflows' runs: the event triggers of the current versions.
CREATE TABLE headgate.workflow_events (
    workspace_id  uuid NOT NULL,
    workflow_id   uuid NOT NULL,
    node          text NOT NULL CHECK (octet_length(node) BETWEEN 1 AND 40),
    namespace     text NOT NULL,
    source        text NOT NULL CHECK (octet_length(source) BETWEEN 1 AND 253),
    phases        text[] NOT NULL,
    last_error    text CHECK (octet_length(last_error) <= 1024),
    PRIMARY KEY (workspace_id, workflow_id, node),
    FOREIGN KEY (workspace_id, workflow_id) REFERENCES headgate.workflows
);
COMMENT ON COLUMN headgate.workflow_events.source IS 'Name of the workflow of the same namespace whose runs end.';
COMMENT ON COLUMN headgate.workflow_events.last_error IS 'Why the last ending made no run; NULL where it made one.';
CREATE INDEX workflow_events_source ON headgate.workflow_events (workspace_id, namespace, source);

CREATE INDEX tasks_calls ON headgate.tasks (workspace_id, due_at) WHERE kind = 'call' AND due_at IS NOT NULL;

CREATE TABLE headgate.node_memos (
    workspace_id  uuid NOT NULL,
    workflow_id   uuid NOT NULL,
    node          text NOT NULL,
    key           text NOT NULL,
    output        jsonb,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, workflow_id, node, key)
);
COMMENT ON TABLE headgate.node_memos IS 'Outputs of nodes that are taken again; the key holds a hash of what the node does.';

-- Written only under the lock of the row of workspace_usage.
CREATE TABLE headgate.borrowed_places (
    workspace_id  uuid NOT NULL,
    run_id        uuid NOT NULL,
    lender        uuid NOT NULL,
    PRIMARY KEY (workspace_id, run_id),
    UNIQUE (workspace_id, lender)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE headgate.borrowed_places IS 'Runs under way that have no place of their own among those that the quota bounds, but run in that of another.';
COMMENT ON COLUMN headgate.borrowed_places.lender IS 'The run under way in whose place it runs: its caller, or who had lent to one that has ended.';
