-- Before its partitions: dropping a trigger would lock those first, and writers have the table by then.
LOCK TABLE headgate.workflow_execution_steps IN ACCESS EXCLUSIVE MODE;
DROP TRIGGER note_change_of_new ON headgate.workflow_execution_steps;
DROP TRIGGER note_change ON headgate.workflow_execution_steps;
DROP FUNCTION headgate.note_step_change;
