-- What runs get, when all else is there: from here to the end of the transaction nobody reads or writes them.

LOCK TABLE headgate.workflow_executions IN ACCESS EXCLUSIVE MODE;

CREATE TRIGGER archived BEFORE UPDATE ON headgate.workflow_executions
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION headgate.refuse_to_change_archived_run();

CREATE TRIGGER enter_past_month BEFORE INSERT ON headgate.workflow_executions
    FOR EACH ROW WHEN (NEW.started_at < now() - interval '2 days') EXECUTE FUNCTION headgate.enter_past_month();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['workflow_executions', 'execution_labels'] LOOP
        EXECUTE format(
            'CREATE POLICY removal ON headgate.%I TO headgate_owner USING ('
            ' (SELECT current_setting(''headgate.removing'', true)) = ''month'''
            ' OR (SELECT current_setting(''headgate.removing'', true)) = ''part'''
            ' AND workspace_id = NULLIF(current_setting(''app.workspace_id'', true), '''')::uuid)', name);
    END LOOP;
END
$$;
