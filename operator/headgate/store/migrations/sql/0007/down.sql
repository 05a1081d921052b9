LOCK TABLE headgate.workflow_executions IN ACCESS EXCLUSIVE MODE;
DROP TRIGGER note_change_of_new ON headgate.workflow_executions;
DROP TRIGGER note_change ON headgate.workflow_executions;
DROP TRIGGER keep_labels ON headgate.workflow_executions;
DROP FUNCTION headgate.note_run_change, headgate.keep_labels;
DROP TABLE headgate.run_changes, headgate.execution_labels;
ALTER TABLE headgate.workflow_executions DROP COLUMN labels;
