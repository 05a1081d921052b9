DROP TABLE headgate.dispatch_turns;
REVOKE UPDATE (waiting_reason, waiting_message, waiting_until) ON headgate.tasks FROM headgate_system;
DROP FUNCTION headgate.take_place, headgate.leave_place;
DROP FUNCTION headgate.room, headgate.count_use, headgate.keep_bytes, headgate.move_to_pot;
ALTER TABLE headgate.workflow_executions DROP COLUMN concurrency_limit;
