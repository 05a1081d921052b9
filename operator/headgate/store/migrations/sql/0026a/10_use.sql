-- What attempts used of what they requested, day by day. Of those alone that were measured, so that both can be compared.

-- First what those who end attempts wait for, last the function that writes it.
ALTER TABLE headgate.analytics_deltas
    ADD COLUMN cpu_requested numeric,
    ADD COLUMN cpu_used numeric,
    ADD COLUMN memory_requested numeric,
    ADD COLUMN memory_used numeric;
COMMENT ON COLUMN headgate.analytics_deltas.cpu_requested IS 'CPU seconds that the attempt requested, where what it used was measured; NULL otherwise, as are the other three.';

ALTER TABLE headgate.workspace_analytics_daily
    ADD COLUMN measured bigint NOT NULL DEFAULT 0,
    ADD COLUMN cpu_requested numeric,
    ADD COLUMN cpu_used numeric,
    ADD COLUMN memory_requested numeric,
    ADD COLUMN memory_used numeric;
COMMENT ON COLUMN headgate.workspace_analytics_daily.measured IS 'Attempts of which it was measured what they used, and which the following are of.';
COMMENT ON COLUMN headgate.workspace_analytics_daily.cpu_requested IS 'CPU seconds; NULL where nothing was measured.';
COMMENT ON COLUMN headgate.workspace_analytics_daily.memory_requested IS 'Seconds times bytes; NULL where nothing was measured.';

-- As 0010a has it, with what was used.
CREATE OR REPLACE FUNCTION headgate.tally_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    spent   numeric := NEW.cost;
    seconds numeric := greatest(extract(epoch FROM NEW.attempt_finished_at - NEW.attempt_started_at), 0);
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.cost IS NOT NULL THEN
        spent := NULL;
    END IF;
    IF NEW.cpu_requested + NEW.cpu_used + NEW.memory_requested + NEW.memory_used IS NULL
        OR TG_OP = 'UPDATE' AND OLD.cpu_used IS NOT NULL THEN
        seconds := NULL;
    END IF;
    INSERT INTO headgate.analytics_deltas (workspace_id, workflow_id, day, node, sign, phase, duration_ms, cost, labels,
        cpu_requested, cpu_used, memory_requested, memory_used)
    SELECT e.workspace_id, e.workflow_id, (NEW.attempt_finished_at AT TIME ZONE 'UTC')::date, split_part(NEW.node, '.', 1), 1,
        NEW.phase,
        greatest(floor(extract(epoch FROM NEW.attempt_finished_at - NEW.attempt_started_at) * 1000), 0), spent, e.labels,
        NEW.cpu_requested * seconds, NEW.cpu_used * seconds, NEW.memory_requested * seconds, NEW.memory_used * seconds
    FROM headgate.workflow_executions e
    WHERE e.workspace_id = NEW.workspace_id AND e.started_at = NEW.started_at AND e.id = NEW.execution_id
        AND e.mode = 'Normal';
    IF spent > 0 THEN
        PERFORM headgate.spend(NEW.workspace_id, spent, NEW.attempt_finished_at);
    END IF;
    RETURN NULL;
END
$$;
