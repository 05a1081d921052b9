-- What attempts get, when all else is there: from here to the end of the transaction nobody reads or writes them.

LOCK TABLE headgate.workflow_execution_steps IN ACCESS EXCLUSIVE MODE;

-- Without a default, so that no row is written, and with checks that 0014 asks of the rows that there are.
ALTER TABLE headgate.workflow_execution_steps
    ADD COLUMN hourly_rate numeric,
    ADD COLUMN price_version text,
    ADD COLUMN cost numeric,
    ADD CONSTRAINT workflow_execution_steps_hourly_rate_check CHECK (hourly_rate >= 0) NOT VALID,
    ADD CONSTRAINT workflow_execution_steps_price_version_check CHECK (octet_length(price_version) <= 64) NOT VALID,
    ADD CONSTRAINT workflow_execution_steps_cost_check CHECK (cost >= 0) NOT VALID;
COMMENT ON COLUMN headgate.workflow_execution_steps.hourly_rate IS 'What an hour of the attempt costs; NULL where there was no price table.';
COMMENT ON COLUMN headgate.workflow_execution_steps.price_version IS 'The price table by which it is priced.';
COMMENT ON COLUMN headgate.workflow_execution_steps.cost IS 'What the attempt cost, to a billionth; NULL where it has no price, has not ended, or is of a Test or Debug run.';

CREATE TRIGGER price_attempt BEFORE INSERT OR UPDATE ON headgate.workflow_execution_steps
    FOR EACH ROW WHEN (NEW.hourly_rate IS NOT NULL AND NEW.attempt_finished_at IS NOT NULL AND NEW.cost IS NULL
        AND NEW.attempt_started_at IS NOT NULL)
    EXECUTE FUNCTION headgate.price_attempt();

CREATE TRIGGER tally_attempt_of_new AFTER INSERT ON headgate.workflow_execution_steps
    FOR EACH ROW WHEN (NEW.attempt > 0 AND NEW.attempt_started_at IS NOT NULL AND NEW.attempt_finished_at IS NOT NULL)
    EXECUTE FUNCTION headgate.tally_attempt();
CREATE TRIGGER tally_attempt AFTER UPDATE ON headgate.workflow_execution_steps
    FOR EACH ROW WHEN (NEW.attempt > 0 AND NEW.attempt_started_at IS NOT NULL AND OLD.attempt_finished_at IS NULL
        AND NEW.attempt_finished_at IS NOT NULL)
    EXECUTE FUNCTION headgate.tally_attempt();
