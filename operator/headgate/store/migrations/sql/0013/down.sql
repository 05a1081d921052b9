DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['workflow_executions', 'workflow_execution_steps', 'execution_labels',
        'data_retention_policies'] LOOP
        EXECUTE format('DROP POLICY removal ON headgate.%I', name);
    END LOOP;
END
$$;
DROP TRIGGER enter_past_month ON headgate.workflow_executions;
DROP TRIGGER archived ON headgate.workflow_executions;
DROP TRIGGER archived ON headgate.workflow_execution_steps;
DROP FUNCTION headgate.months_before, headgate.drop_archived_month, headgate.remove_archived,
    headgate.enter_past_month, headgate.month_lock, headgate.refuse_to_change_archived_step,
    headgate.refuse_to_change_archived_run;
DROP TABLE headgate.archive_rounds, headgate.archive_parts;
ALTER TABLE headgate.data_retention_policies DROP COLUMN legal_hold;
