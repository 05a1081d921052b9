-- What is noted of runs and attempts is copied by triggers, from rows that were checked when they were written. The same asked
-- again was read, parsed and prepared anew for each note, which took as long as writing it.

ALTER TABLE headgate.run_changes
    DROP CONSTRAINT run_changes_node_check,
    DROP CONSTRAINT run_changes_attempt_check,
    DROP CONSTRAINT run_changes_phase_check,
    DROP CONSTRAINT run_changes_reason_check,
    DROP CONSTRAINT run_changes_check;
