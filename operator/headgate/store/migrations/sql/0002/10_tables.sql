-- Limits that several workspaces share, storage, circuit breakers, and how long records are kept.
-- Columns have constant defaults, so that no row is rewritten.

ALTER TABLE headgate.workspace_resource_quotas
    ADD COLUMN on_exceeded text NOT NULL DEFAULT 'Queue' CHECK (on_exceeded IN ('Queue', 'Reject')),
    ADD COLUMN pot text CHECK (octet_length(pot) BETWEEN 1 AND 253);
COMMENT ON COLUMN headgate.workspace_resource_quotas.on_exceeded IS 'Whether a run for which there is no room waits or is refused.';
COMMENT ON COLUMN headgate.workspace_resource_quotas.pot IS 'The Quota whose limits all workspaces on it have together; NULL where the workspace has its own.';
CREATE INDEX workspace_resource_quotas_pot ON headgate.workspace_resource_quotas (pot) WHERE pot IS NOT NULL;

ALTER TABLE headgate.workspace_usage
    ADD COLUMN storage_bytes bigint NOT NULL DEFAULT 0 CHECK (storage_bytes >= 0);
COMMENT ON COLUMN headgate.workspace_usage.storage_bytes IS 'Bytes of inputs of runs that started, and of outputs, as compact JSON in UTF-8.';

-- Locked after the row of workspace_usage, always, so that nobody waits in a circle.
CREATE TABLE headgate.quota_pots (
    name           text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 253),
    running        integer NOT NULL CHECK (running >= 0),
    day            date NOT NULL,
    executions     integer NOT NULL CHECK (executions >= 0),
    storage_bytes  bigint NOT NULL CHECK (storage_bytes >= 0)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE headgate.quota_pots IS 'What all workspaces on a shared Quota use together: the sum of their rows of workspace_usage.';

CREATE TABLE headgate.workspace_circuit_breakers (
    workspace_id       uuid PRIMARY KEY REFERENCES headgate.workspaces,
    failure_threshold  integer NOT NULL DEFAULT 50 CHECK (failure_threshold BETWEEN 1 AND 1000),
    failure_window     interval NOT NULL DEFAULT '5 minutes',
    cool_down          interval NOT NULL DEFAULT '5 minutes',
    half_open_runs     integer NOT NULL DEFAULT 3 CHECK (half_open_runs BETWEEN 1 AND 100),
    state              text NOT NULL DEFAULT 'Closed' CHECK (state IN ('Closed', 'Open', 'HalfOpen')),
    failures           timestamptz[] NOT NULL DEFAULT '{}',
    opened_at          timestamptz,
    retry_at           timestamptz,
    episode            integer NOT NULL DEFAULT 0,
    probes             integer NOT NULL DEFAULT 0 CHECK (probes >= 0),
    passed             integer NOT NULL DEFAULT 0 CHECK (passed >= 0),
    reset              text CHECK (octet_length(reset) <= 1024)
) WITH (fillfactor = 50);
COMMENT ON TABLE headgate.workspace_circuit_breakers IS 'Written only by transactions that hold the row of workspace_usage.';
COMMENT ON COLUMN headgate.workspace_circuit_breakers.failures IS 'When runs failed within the window: at most as many as the threshold.';
COMMENT ON COLUMN headgate.workspace_circuit_breakers.episode IS 'Counts how often it was half open: a run that is tried then carries the number.';
COMMENT ON COLUMN headgate.workspace_circuit_breakers.probes IS 'Runs that are being tried right now.';
COMMENT ON COLUMN headgate.workspace_circuit_breakers.passed IS 'Runs that were tried and succeeded.';

CREATE TABLE headgate.data_retention_policies (
    workspace_id          uuid PRIMARY KEY REFERENCES headgate.workspaces,
    execution_logs_days   integer NOT NULL DEFAULT 90 CHECK (execution_logs_days >= 1),
    audit_logs_days       integer NOT NULL DEFAULT 365 CHECK (audit_logs_days >= 1),
    webhook_logs_days     integer NOT NULL DEFAULT 30 CHECK (webhook_logs_days >= 1),
    compliance_logs_days  integer NOT NULL DEFAULT 2555 CHECK (compliance_logs_days >= 1)
);
COMMENT ON TABLE headgate.data_retention_policies IS 'How long records are kept: a copy of the Workspace''s policy.';

ALTER TABLE headgate.workflow_executions ADD COLUMN probe integer;
COMMENT ON COLUMN headgate.workflow_executions.probe IS 'The episode of the half-open circuit breaker in which the run was tried.';
