DROP TABLE headgate.dispatch_turns;
DROP FUNCTION headgate.room, headgate.count_use, headgate.keep_bytes, headgate.move_to_pot;
ALTER TABLE headgate.workflow_executions DROP COLUMN concurrency_limit;
