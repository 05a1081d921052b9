-- What attempts cost: the price of an hour, kept as the attempt begins, times how long it took.
--
-- It is multiplied where both times are known, whatever statement ends the attempt: a start that is known stays, so only the
-- row itself tells how long an attempt took.

CREATE TABLE headgate.price_tables (
    version     text NOT NULL CHECK (octet_length(version) <= 64),
    valid_from  timestamptz NOT NULL,
    prices      jsonb NOT NULL CHECK (jsonb_typeof(prices) = 'object'),
    PRIMARY KEY (version, valid_from)
);
COMMENT ON TABLE headgate.price_tables IS 'Every price table that there was, from when on: one that comes back has a row for each time.';
COMMENT ON COLUMN headgate.price_tables.version IS 'From the content: the beginning of its SHA-256.';

CREATE FUNCTION headgate.price_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM headgate.workflow_executions e
        WHERE e.workspace_id = NEW.workspace_id AND e.started_at = NEW.started_at AND e.id = NEW.execution_id
            AND e.mode = 'Normal'
    ) THEN
        NEW.cost := round(NEW.hourly_rate
            * greatest(extract(epoch FROM NEW.attempt_finished_at - NEW.attempt_started_at), 0) / 3600, 9);
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION headgate.price_attempt FROM PUBLIC;
