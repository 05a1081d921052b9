-- Runs and their steps, partitioned by the month in which the run was admitted.
--
-- started_at is the time inside the run's UUIDv7, to the millisecond. A look-up by id therefore knows started_at too,
-- and reads one partition; the primary key in the order (started_at, id) is also the order in which people page.

CREATE TABLE headgate.workflow_executions (
    workspace_id    uuid NOT NULL,
    id              uuid NOT NULL,
    started_at      timestamptz NOT NULL,
    workflow_id     uuid NOT NULL,
    version_id      uuid NOT NULL,
    status          text NOT NULL
                    CHECK (status IN ('Pending', 'Running', 'Suspended', 'Succeeded', 'Failed', 'Cancelled')),
    trigger_kind    text NOT NULL CHECK (octet_length(trigger_kind) <= 32),
    trigger_key     text NOT NULL CHECK (octet_length(trigger_key) BETWEEN 1 AND 512),
    trigger_node    text NOT NULL CHECK (octet_length(trigger_node) <= 40),
    resource        text CHECK (octet_length(resource) <= 253),
    inputs          jsonb NOT NULL,
    waiting_reason  text CHECK (octet_length(waiting_reason) <= 128),
    waiting_until   timestamptz,
    running_since   timestamptz,
    deadline        timestamptz,
    finished_at     timestamptz,
    duration_ms     bigint CHECK (duration_ms >= 0),
    error_message   text CHECK (octet_length(error_message) <= 1024),
    PRIMARY KEY (workspace_id, started_at, id),
    CHECK ((finished_at IS NULL) = (status IN ('Pending', 'Running', 'Suspended')))
) PARTITION BY RANGE (started_at);
COMMENT ON COLUMN headgate.workflow_executions.started_at IS 'When the run was admitted: the time in its id.';
COMMENT ON COLUMN headgate.workflow_executions.running_since IS 'When its first node could start; later than started_at where the run had to wait.';
COMMENT ON COLUMN headgate.workflow_executions.deadline IS 'When it fails if it has not ended.';
COMMENT ON COLUMN headgate.workflow_executions.duration_ms IS 'From started_at to finished_at.';
COMMENT ON COLUMN headgate.workflow_executions.error_message IS 'Short, because it rides in an index, whose rows must fit a third of a page.';

CREATE INDEX workflow_executions_status ON headgate.workflow_executions
    (workspace_id, status, started_at DESC) INCLUDE (duration_ms, error_message);
CREATE INDEX workflow_executions_workflow ON headgate.workflow_executions
    (workspace_id, workflow_id, status, started_at DESC);
CREATE INDEX workflow_executions_open ON headgate.workflow_executions (workspace_id, started_at)
    WHERE status IN ('Pending', 'Running', 'Suspended');

CREATE TABLE headgate.workflow_execution_steps (
    workspace_id         uuid NOT NULL,
    execution_id         uuid NOT NULL,
    started_at           timestamptz NOT NULL,
    node                 text NOT NULL CHECK (octet_length(node) BETWEEN 1 AND 40),
    attempt              integer NOT NULL CHECK (attempt >= 0),
    phase                text NOT NULL
                         CHECK (phase IN ('Queued', 'Running', 'Succeeded', 'Failed', 'Skipped', 'Cancelled')),
    branch               text CHECK (octet_length(branch) <= 253),
    reason               text NOT NULL CHECK (octet_length(reason) <= 128),
    message              text NOT NULL CHECK (octet_length(message) <= 1024),
    exit_code            integer,
    output               jsonb,
    attempt_started_at   timestamptz,
    attempt_finished_at  timestamptz,
    PRIMARY KEY (workspace_id, started_at, execution_id, node, attempt)
) PARTITION BY RANGE (started_at);
COMMENT ON TABLE headgate.workflow_execution_steps IS 'Attempts of the nodes of runs. A node without a row still waits for those it depends on; attempt 0 stands for a node that needed none.';
COMMENT ON COLUMN headgate.workflow_execution_steps.started_at IS 'started_at of the run, so that a run and its steps share their partition.';

-- What was asked for, for ever and over all months: this is what makes a trigger count once.
CREATE TABLE headgate.execution_triggers (
    workspace_id  uuid NOT NULL,
    trigger_key   text NOT NULL CHECK (octet_length(trigger_key) BETWEEN 1 AND 512),
    execution_id  uuid,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, trigger_key)
);
COMMENT ON COLUMN headgate.execution_triggers.execution_id IS 'The run; null where the request was withdrawn before there was one.';

-- The queue: small and hot. A row lives as long as its attempt.
CREATE TABLE headgate.tasks (
    workspace_id     uuid NOT NULL,
    execution_id     uuid NOT NULL,
    node             text NOT NULL CHECK (octet_length(node) BETWEEN 1 AND 40),
    attempt          integer NOT NULL CHECK (attempt >= 1),
    namespace        text NOT NULL,
    workflow         text NOT NULL,
    container        jsonb NOT NULL,
    timeout_seconds  integer NOT NULL CHECK (timeout_seconds >= 1),
    due_at           timestamptz,
    holder           text CHECK (octet_length(holder) <= 253),
    job_uid          text CHECK (octet_length(job_uid) <= 64),
    waiting_reason   text CHECK (octet_length(waiting_reason) <= 128),
    waiting_message  text CHECK (octet_length(waiting_message) <= 1024),
    waiting_until    timestamptz,
    PRIMARY KEY (workspace_id, execution_id, node, attempt)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.1);
COMMENT ON COLUMN headgate.tasks.due_at IS 'When it may be claimed: not before this time or, while it is claimed, when the lease ends. Null once its Job is known.';
COMMENT ON COLUMN headgate.tasks.holder IS 'Who claimed it last; null when nobody ever did, so that no Job can exist.';
CREATE INDEX tasks_due ON headgate.tasks (workspace_id, due_at) WHERE due_at IS NOT NULL;
