-- What attempts in pools printed, until the operator has put it into the object store: a pool's pod does not end, and its
-- log is not kept by itself. A row lasts for a second or two, unless the object store is away.

CREATE TABLE headgate.pool_logs (
    workspace_id  uuid NOT NULL REFERENCES headgate.workspaces,
    execution_id  uuid NOT NULL,
    node          text NOT NULL CHECK (octet_length(node) BETWEEN 1 AND 80),
    attempt       integer NOT NULL CHECK (attempt >= 1),
    content       bytea NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 65536),
    truncated     boolean NOT NULL,
    printed_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, execution_id, node, attempt)
);
COMMENT ON TABLE headgate.pool_logs IS 'What attempts in pools printed and is not in the object store yet.';
CREATE INDEX pool_logs_printed ON headgate.pool_logs (printed_at);

-- As 0001 has it: forced row-level security, and nothing to anybody that is not listed.
ALTER TABLE headgate.pool_logs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.pool_logs TO headgate_app
    USING (workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE, UPDATE (content, truncated, printed_at) ON headgate.pool_logs TO headgate_app;

-- To find them; what was printed it does not see.
CREATE POLICY system ON headgate.pool_logs FOR SELECT TO headgate_system USING (true);
GRANT SELECT (workspace_id, execution_id, node, attempt, printed_at) ON headgate.pool_logs TO headgate_system;
