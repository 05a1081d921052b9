LOCK TABLE headgate.workflow_executions IN ACCESS EXCLUSIVE MODE;
DROP TRIGGER tally_run ON headgate.workflow_executions;
DROP TRIGGER tally_run_of_new ON headgate.workflow_executions;
DROP FUNCTION headgate.tally_run;
