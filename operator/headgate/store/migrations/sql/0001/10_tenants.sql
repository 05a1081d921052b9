-- Who there is, what they may use, and what they use right now.

CREATE TABLE headgate.workspaces (
    id          uuid PRIMARY KEY,
    name        text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 253),
    suspended   boolean NOT NULL,
    created_at  timestamptz NOT NULL,
    deleted_at  timestamptz
);
COMMENT ON TABLE headgate.workspaces IS 'Tenants. A name belongs to one workspace at a time; a retired one keeps its history under its id.';
CREATE UNIQUE INDEX workspaces_active_name ON headgate.workspaces (name) WHERE deleted_at IS NULL;

CREATE TABLE headgate.workspace_resource_quotas (
    workspace_id            uuid PRIMARY KEY REFERENCES headgate.workspaces,
    max_workflows           integer NOT NULL CHECK (max_workflows >= 0),
    max_executions_per_day  integer NOT NULL CHECK (max_executions_per_day >= 0),
    max_storage_mb          integer NOT NULL CHECK (max_storage_mb >= 0),
    max_api_calls_per_hour  integer NOT NULL CHECK (max_api_calls_per_hour >= 0),
    max_concurrent_runs     integer NOT NULL CHECK (max_concurrent_runs >= 0)
);
COMMENT ON TABLE headgate.workspace_resource_quotas IS 'What a workspace may use: a copy of its Quota.';

-- One row, locked once per admission and once per end of a run. Every update must stay on its page (HOT).
CREATE TABLE headgate.workspace_usage (
    workspace_id  uuid PRIMARY KEY REFERENCES headgate.workspaces,
    running       integer NOT NULL CHECK (running >= 0),
    queued        integer NOT NULL CHECK (queued >= 0),
    day           date NOT NULL,
    executions    integer NOT NULL CHECK (executions >= 0)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE headgate.workspace_usage IS 'What a workspace uses right now, exact under concurrency.';
COMMENT ON COLUMN headgate.workspace_usage.running IS 'Runs whose status is Running.';
COMMENT ON COLUMN headgate.workspace_usage.queued IS 'Pending runs that wait for room in the workspace, not for their workflow.';
COMMENT ON COLUMN headgate.workspace_usage.day IS 'The UTC day that executions counts. Never goes back.';
COMMENT ON COLUMN headgate.workspace_usage.executions IS 'Runs that started on that day.';

CREATE TABLE headgate.workflows (
    workspace_id        uuid NOT NULL REFERENCES headgate.workspaces,
    id                  uuid NOT NULL,
    namespace           text NOT NULL CHECK (octet_length(namespace) BETWEEN 1 AND 253),
    name                text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 253),
    current_version_id  uuid NOT NULL,
    suspended           boolean NOT NULL,
    created_at          timestamptz NOT NULL,
    deleted_at          timestamptz,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX workflows_active_name ON headgate.workflows (workspace_id, namespace, name) WHERE deleted_at IS NULL;

CREATE TABLE headgate.workflow_versions (
    workspace_id  uuid NOT NULL,
    id            uuid NOT NULL,
    workflow_id   uuid NOT NULL,
    number        integer NOT NULL CHECK (number >= 1),
    content_hash  text NOT NULL CHECK (octet_length(content_hash) = 64),
    spec          jsonb NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, workflow_id, number),
    UNIQUE (workspace_id, workflow_id, content_hash),
    FOREIGN KEY (workspace_id, workflow_id) REFERENCES headgate.workflows
);
COMMENT ON TABLE headgate.workflow_versions IS 'Every accepted spec, for ever: rows are added, never changed.';

CREATE TABLE headgate.workflow_schedules (
    workspace_id  uuid NOT NULL,
    workflow_id   uuid NOT NULL,
    node          text NOT NULL CHECK (octet_length(node) BETWEEN 1 AND 40),
    schedule      jsonb NOT NULL,
    next_tick     timestamptz NOT NULL,
    last_tick     timestamptz,
    last_error    text CHECK (octet_length(last_error) <= 1024),
    PRIMARY KEY (workspace_id, workflow_id, node),
    FOREIGN KEY (workspace_id, workflow_id) REFERENCES headgate.workflows
);
CREATE INDEX workflow_schedules_next ON headgate.workflow_schedules (workspace_id, next_tick);
