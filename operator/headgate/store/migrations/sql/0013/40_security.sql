-- The new tables, as 0001 has it: forced row-level security, and nothing to anybody that is not listed.

ALTER TABLE headgate.archive_parts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.archive_parts TO headgate_app
    USING (workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
GRANT SELECT, DELETE, INSERT (workspace_id, id, month, state, ended_before, created_at),
    UPDATE (state, verified_at, first_run, last_run, runs, steps, stored_bytes, log_bytes, files)
    ON headgate.archive_parts TO headgate_app;

-- To find the workspaces in which something is to be done; what is in the archive it does not see.
CREATE POLICY system ON headgate.archive_parts FOR SELECT TO headgate_system USING (true);
GRANT SELECT (workspace_id, id, month, state, created_at) ON headgate.archive_parts TO headgate_system;

ALTER TABLE headgate.archive_rounds ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON headgate.archive_rounds TO headgate_system USING (true);
GRANT SELECT, INSERT, DELETE ON headgate.archive_rounds TO headgate_system;

-- The owner goes on seeing nothing, but for the two functions by which rows leave the history; of the history itself in
-- 50_runs.sql and in 0013a.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['archive_parts', 'data_retention_policies'] LOOP
        EXECUTE format(
            'CREATE POLICY removal ON headgate.%I TO headgate_owner USING ('
            ' (SELECT current_setting(''headgate.removing'', true)) = ''month'''
            ' OR (SELECT current_setting(''headgate.removing'', true)) = ''part'''
            ' AND workspace_id = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)', name);
    END LOOP;
END
$$;
