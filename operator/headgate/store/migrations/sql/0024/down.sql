LOCK TABLE headgate.workflow_executions IN ACCESS EXCLUSIVE MODE;
DROP TRIGGER drop_ended_labels_of_deleted ON headgate.workflow_executions;
DROP TRIGGER drop_ended_labels ON headgate.workflow_executions;
DROP TRIGGER keep_ended_labels ON headgate.workflow_executions;
DROP TRIGGER keep_ended_labels_of_new ON headgate.workflow_executions;
DROP FUNCTION headgate.drop_ended_labels, headgate.keep_ended_labels;
ALTER TABLE headgate.upkeep_days DROP COLUMN labels_from;
DROP TABLE headgate.ended_labels;
