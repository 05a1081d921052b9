-- What ended, day by day. Whatever statement ends an attempt or a run leaves a row here, in its own transaction; folding
-- takes the rows out and adds them up in another one. So each is counted once, and nothing of the history is read again.

CREATE TABLE headgate.analytics_deltas (
    workspace_id  uuid NOT NULL,
    number        bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    workflow_id   uuid NOT NULL,
    day           date NOT NULL,
    node          text CHECK (octet_length(node) BETWEEN 1 AND 80),
    sign          smallint NOT NULL CHECK (sign IN (-1, 1)),
    phase         text NOT NULL CHECK (octet_length(phase) <= 32),
    duration_ms   bigint,
    queue_ms      bigint,
    cost          numeric,
    labels        jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (workspace_id, number)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE headgate.analytics_deltas IS 'What ended and has not been added to its day yet.';
COMMENT ON COLUMN headgate.analytics_deltas.node IS 'The node whose attempt ended; NULL where a run did.';
COMMENT ON COLUMN headgate.analytics_deltas.sign IS '-1 takes an end back: a run that was taken up again ends once more.';
COMMENT ON COLUMN headgate.analytics_deltas.queue_ms IS 'From when a run was asked for to its start; NULL where it never started, or was taken up again.';

CREATE TABLE headgate.workspace_analytics_daily (
    workspace_id  uuid NOT NULL,
    workflow_id   uuid NOT NULL,
    day           date NOT NULL,
    total         bigint NOT NULL,
    successful    bigint NOT NULL,
    failed        bigint NOT NULL,
    cancelled     bigint NOT NULL,
    duration_ms   bigint NOT NULL,
    queued        bigint NOT NULL,
    queue_ms      bigint NOT NULL,
    attempts      bigint NOT NULL,
    cost          numeric,
    PRIMARY KEY (workspace_id, workflow_id, day)
) WITH (fillfactor = 80);
COMMENT ON TABLE headgate.workspace_analytics_daily IS 'What ended on a day of UTC: all of the workspace under the nil UUID, and each workflow''s.';
COMMENT ON COLUMN headgate.workspace_analytics_daily.duration_ms IS 'Of all runs together, from when they were asked for.';
COMMENT ON COLUMN headgate.workspace_analytics_daily.queued IS 'Runs of which it is known how long they waited.';
COMMENT ON COLUMN headgate.workspace_analytics_daily.cost IS 'Of the attempts that ended; NULL where none had a price.';

CREATE TABLE headgate.run_durations_daily (
    workspace_id  uuid NOT NULL,
    workflow_id   uuid NOT NULL,
    day           date NOT NULL,
    bucket        smallint NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    runs          bigint NOT NULL,
    PRIMARY KEY (workspace_id, workflow_id, day, bucket)
) WITH (fillfactor = 80);
COMMENT ON TABLE headgate.run_durations_daily IS 'A histogram of durations for each row of workspace_analytics_daily, from which percentiles are read.';
COMMENT ON COLUMN headgate.run_durations_daily.bucket IS 'Durations from 2^(bucket/8) milliseconds on, to the next bucket.';

CREATE TABLE headgate.node_analytics_daily (
    workspace_id  uuid NOT NULL,
    workflow_id   uuid NOT NULL,
    day           date NOT NULL,
    node          text NOT NULL,
    attempts      bigint NOT NULL,
    failed        bigint NOT NULL,
    duration_ms   bigint NOT NULL,
    longest_ms    bigint NOT NULL,
    cost          numeric,
    PRIMARY KEY (workspace_id, workflow_id, day, node)
) WITH (fillfactor = 80);
COMMENT ON TABLE headgate.node_analytics_daily IS 'Attempts that ended on a day, by their node; items of a list count for their node.';

CREATE TABLE headgate.label_costs_daily (
    workspace_id  uuid NOT NULL,
    day           date NOT NULL,
    key           text NOT NULL,
    value         text NOT NULL,
    cost          numeric NOT NULL,
    PRIMARY KEY (workspace_id, key, day, value)
) WITH (fillfactor = 80);
COMMENT ON TABLE headgate.label_costs_daily IS 'What attempts cost, by the labels of their runs.';

CREATE FUNCTION headgate.tally_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
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
REVOKE ALL ON FUNCTION headgate.tally_attempt FROM PUBLIC;
