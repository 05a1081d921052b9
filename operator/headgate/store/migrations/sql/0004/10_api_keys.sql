-- Keys by which programs call the gateway. Of the secret only a hash is kept.

CREATE TABLE headgate.api_keys (
    workspace_id  uuid NOT NULL REFERENCES headgate.workspaces,
    id            uuid NOT NULL,
    name          text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 253),
    role          text NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    scopes        text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 32),
    hash          bytea NOT NULL CHECK (octet_length(hash) = 32),
    created_at    timestamptz NOT NULL,
    created_by    text NOT NULL CHECK (octet_length(created_by) BETWEEN 1 AND 512),
    expires_at    timestamptz CHECK (expires_at > created_at),
    last_used_at  timestamptz,
    revoked_at    timestamptz,
    revoked_by    text CHECK (octet_length(revoked_by) BETWEEN 1 AND 512),
    PRIMARY KEY (workspace_id, id),
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
) WITH (fillfactor = 80);
COMMENT ON TABLE headgate.api_keys IS 'Keys of the HTTP API. Rows are never removed, so that it can be told who made and revoked a key.';
COMMENT ON COLUMN headgate.api_keys.hash IS 'SHA-256 over workspace, id and secret.';
COMMENT ON COLUMN headgate.api_keys.last_used_at IS 'To the minute: written once a minute at most.';
CREATE INDEX api_keys_unrevoked ON headgate.api_keys (workspace_id, expires_at) WHERE revoked_at IS NULL;

-- As 0001 has it: forced row-level security, and nothing to anybody that is not listed. What a key is, is for ever.
ALTER TABLE headgate.api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.api_keys TO headgate_app
    USING (workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE (last_used_at, revoked_at, revoked_by) ON headgate.api_keys TO headgate_app;
