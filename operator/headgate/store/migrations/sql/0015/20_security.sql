-- The new tables, as 0001 has it: forced row-level security, and nothing to anybody that is not listed.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['workflow_documents', 'run_documents', 'recommendations'] LOOP
        EXECUTE format('ALTER TABLE headgate.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON headgate.%I TO headgate_app'
            ' USING (workspace_id = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)', name);
        -- Under a policy that compares anything, Postgres looks for no words in an index: a comparison of words might
        -- tell of rows that the policy hides. So words are looked for by this role, which is told which rows have them;
        -- what they say is read by the other one, under its policy.
        EXECUTE format('CREATE POLICY system_read ON headgate.%I FOR SELECT TO headgate_system USING (true)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE (document), DELETE ON headgate.%I TO headgate_app', name);
    END LOOP;
END
$$;
-- What runs that are archived leave, as 0013 has it for themselves.
CREATE POLICY removal ON headgate.run_documents TO headgate_owner USING (
    (SELECT current_setting('headgate.removing', true)) = 'month'
    OR (SELECT current_setting('headgate.removing', true)) = 'part'
    AND workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);

GRANT SELECT ON headgate.workflow_documents, headgate.run_documents TO headgate_system;
GRANT SELECT (workspace_id, id, document) ON headgate.recommendations TO headgate_system;
GRANT UPDATE (message, made_at) ON headgate.recommendations TO headgate_app;

ALTER TABLE headgate.upkeep_days ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.upkeep_days TO headgate_app
    USING (workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON headgate.upkeep_days TO headgate_app;
CREATE POLICY system_read ON headgate.upkeep_days FOR SELECT TO headgate_system USING (true);
GRANT SELECT ON headgate.upkeep_days TO headgate_system;

REVOKE ALL ON FUNCTION headgate.words, headgate.owner_word, headgate.workflow_document, headgate.document FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.words, headgate.owner_word, headgate.workflow_document, headgate.document
    TO headgate_app;
GRANT EXECUTE ON FUNCTION headgate.owner_word TO headgate_system;
