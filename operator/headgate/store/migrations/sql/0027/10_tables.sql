-- Files that attempts left, as they lie in the object store. They are counted as they are noted, and given back with their part of
-- the archive, as logs are.

CREATE TABLE headgate.run_artifacts (
    workspace_id  uuid NOT NULL,
    started_at    timestamptz NOT NULL,
    execution_id  uuid NOT NULL,
    node          text COLLATE "C" NOT NULL,
    attempt       integer NOT NULL CHECK (attempt > 0),
    name          text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 128),
    bytes         bigint NOT NULL CHECK (bytes >= 0),
    sha256        text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    content_type  text NOT NULL CHECK (octet_length(content_type) <= 128),
    path          text NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, started_at, execution_id, node, attempt, name)
) PARTITION BY RANGE (started_at);
COMMENT ON TABLE headgate.run_artifacts IS 'Files that attempts left, which lie in the object store.';
COMMENT ON COLUMN headgate.run_artifacts.started_at IS 'started_at of the run, so that a run and its files share their partition.';
COMMENT ON COLUMN headgate.run_artifacts.name IS 'In the order of bytes, as nodes are: so a list goes on in the archive, whatever the database''s language is.';
COMMENT ON COLUMN headgate.run_artifacts.path IS 'Where it lies in the object store; no two uploads ever had the same.';

ALTER TABLE headgate.run_artifacts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.run_artifacts TO headgate_app
    USING (workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE, UPDATE (bytes, sha256, content_type, path, created_at) ON headgate.run_artifacts TO headgate_app;
-- What runs that are archived leave, as 0013 has it for themselves.
CREATE POLICY removal ON headgate.run_artifacts TO headgate_owner USING (
    (SELECT current_setting('headgate.removing', true)) = 'month'
    OR (SELECT current_setting('headgate.removing', true)) = 'part'
    AND workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
