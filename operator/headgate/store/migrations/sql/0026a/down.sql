-- Nobody is in the function then: what it writes goes with the columns.
LOCK TABLE headgate.workflow_execution_steps IN ACCESS EXCLUSIVE MODE;

-- As 0010a has it.
CREATE OR REPLACE FUNCTION headgate.tally_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    spent numeric := NEW.cost;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.cost IS NOT NULL THEN
        spent := NULL;
    END IF;
    INSERT INTO headgate.analytics_deltas (workspace_id, workflow_id, day, node, sign, phase, duration_ms, cost, labels)
    SELECT e.workspace_id, e.workflow_id, (NEW.attempt_finished_at AT TIME ZONE 'UTC')::date, split_part(NEW.node, '.', 1), 1,
        NEW.phase,
        greatest(floor(extract(epoch FROM NEW.attempt_finished_at - NEW.attempt_started_at) * 1000), 0), spent, e.labels
    FROM headgate.workflow_executions e
    WHERE e.workspace_id = NEW.workspace_id AND e.started_at = NEW.started_at AND e.id = NEW.execution_id
        AND e.mode = 'Normal';
    IF spent > 0 THEN
        PERFORM headgate.spend(NEW.workspace_id, spent, NEW.attempt_finished_at);
    END IF;
    RETURN NULL;
END
$$;
ALTER TABLE headgate.workspace_analytics_daily DROP COLUMN measured, DROP COLUMN cpu_requested, DROP COLUMN cpu_used,
    DROP COLUMN memory_requested, DROP COLUMN memory_used;
ALTER TABLE headgate.analytics_deltas DROP COLUMN cpu_requested, DROP COLUMN cpu_used, DROP COLUMN memory_requested,
    DROP COLUMN memory_used;
