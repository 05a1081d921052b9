LOCK TABLE headgate.workflow_executions IN ACCESS EXCLUSIVE MODE;
DROP POLICY removal ON headgate.execution_labels;
DROP POLICY removal ON headgate.workflow_executions;
DROP POLICY removal ON headgate.data_retention_policies;
DROP TRIGGER enter_past_month ON headgate.workflow_executions;
DROP TRIGGER archived ON headgate.workflow_executions;
DROP FUNCTION headgate.months_before, headgate.drop_archived_month, headgate.remove_archived,
    headgate.enter_past_month, headgate.month_lock, headgate.refuse_to_change_archived_step,
    headgate.refuse_to_change_archived_run;
DROP TABLE headgate.archive_rounds, headgate.archive_parts;
ALTER TABLE headgate.data_retention_policies DROP COLUMN legal_hold;
