LOCK TABLE headgate.workflow_execution_steps IN ACCESS EXCLUSIVE MODE;
DROP POLICY removal ON headgate.workflow_execution_steps;
DROP TRIGGER archived ON headgate.workflow_execution_steps;
