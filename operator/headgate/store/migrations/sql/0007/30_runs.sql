-- What runs get, when all else is there: from here to the end of the transaction nobody reads or writes them.

LOCK TABLE headgate.workflow_executions IN ACCESS EXCLUSIVE MODE;

-- Whether the runs that there are keep to the check is asked by 0014, beside readers and writers.
ALTER TABLE headgate.workflow_executions
    ADD COLUMN labels jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT workflow_executions_labels_check
        CHECK (jsonb_typeof(labels) = 'object' AND pg_column_size(labels) <= 16384) NOT VALID;
COMMENT ON COLUMN headgate.workflow_executions.labels IS 'Texts by names, given when the run was asked for.';

CREATE TRIGGER keep_labels AFTER INSERT ON headgate.workflow_executions
    FOR EACH ROW WHEN (NEW.labels <> '{}') EXECUTE FUNCTION headgate.keep_labels();

CREATE TRIGGER note_change_of_new AFTER INSERT ON headgate.workflow_executions
    FOR EACH ROW EXECUTE FUNCTION headgate.note_run_change();
CREATE TRIGGER note_change AFTER UPDATE ON headgate.workflow_executions
    FOR EACH ROW WHEN ((OLD.status, OLD.waiting_reason, OLD.held, OLD.cancelling)
        IS DISTINCT FROM (NEW.status, NEW.waiting_reason, NEW.held, NEW.cancelling))
    EXECUTE FUNCTION headgate.note_run_change();
