DROP TRIGGER note_change_of_new ON headgate.workflow_execution_steps;
DROP TRIGGER note_change ON headgate.workflow_execution_steps;
DROP FUNCTION headgate.note_step_change;
