-- What lies in the object store, or may come to lie there, and that no row of run_artifacts names: files that are on their way, and such
-- as are to be deleted. Whoever put them there does that, and the operator what is left of it, as its writer is gone.

CREATE TABLE headgate.unnoted_artifacts (
    workspace_id  uuid NOT NULL,
    path          text NOT NULL,
    bytes         bigint NOT NULL CHECK (bytes >= 0),
    due_at        timestamptz NOT NULL,
    given_up      boolean NOT NULL,
    PRIMARY KEY (workspace_id, path),
    CHECK (NOT given_up OR bytes = 0)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE headgate.unnoted_artifacts IS 'Objects that no row of run_artifacts names: those that come, and those that go.';
COMMENT ON COLUMN headgate.unnoted_artifacts.bytes IS 'What is counted for it, as long as it may be noted.';
COMMENT ON COLUMN headgate.unnoted_artifacts.due_at IS 'From when on the operator deletes the object.';
COMMENT ON COLUMN headgate.unnoted_artifacts.given_up IS 'Whether it is not to be noted any more.';

ALTER TABLE headgate.unnoted_artifacts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.unnoted_artifacts TO headgate_app
    USING (workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE, UPDATE (bytes, due_at, given_up) ON headgate.unnoted_artifacts TO headgate_app;
CREATE POLICY system ON headgate.unnoted_artifacts FOR SELECT TO headgate_system USING (true);
GRANT SELECT (workspace_id, due_at) ON headgate.unnoted_artifacts TO headgate_system;
