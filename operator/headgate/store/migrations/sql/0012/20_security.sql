-- The new table, as 0001 has it: forced row-level security, and nothing to anybody that is not listed.
ALTER TABLE headgate.sync_cursors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.sync_cursors TO headgate_app
    USING (workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE, UPDATE (digest, reached, pending, batches, records, run_id, attempt, updated_at)
    ON headgate.sync_cursors TO headgate_app;
