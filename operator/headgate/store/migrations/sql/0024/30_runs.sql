-- What runs get, when all else is there: from here to the end of the transaction nobody reads or writes them.

LOCK TABLE headgate.workflow_executions IN ACCESS EXCLUSIVE MODE;

-- Beside the statement that ends the run: one without labels costs nothing.
CREATE TRIGGER keep_ended_labels_of_new AFTER INSERT ON headgate.workflow_executions
    FOR EACH ROW WHEN (NEW.status IN ('Succeeded', 'Failed', 'Cancelled') AND NEW.labels <> '{}')
    EXECUTE FUNCTION headgate.keep_ended_labels();
CREATE TRIGGER keep_ended_labels AFTER UPDATE OF status ON headgate.workflow_executions
    FOR EACH ROW WHEN (NEW.status IN ('Succeeded', 'Failed', 'Cancelled') AND NEW.labels <> '{}'
        AND OLD.status <> NEW.status)
    EXECUTE FUNCTION headgate.keep_ended_labels();
-- A run that is taken up again has not ended, and one that is deleted leaves nothing at all.
CREATE TRIGGER drop_ended_labels AFTER UPDATE OF status ON headgate.workflow_executions
    FOR EACH ROW WHEN (OLD.status IN ('Succeeded', 'Failed', 'Cancelled') AND OLD.labels <> '{}'
        AND OLD.status <> NEW.status)
    EXECUTE FUNCTION headgate.drop_ended_labels();
CREATE TRIGGER drop_ended_labels_of_deleted AFTER DELETE ON headgate.workflow_executions
    FOR EACH ROW WHEN (OLD.labels <> '{}') EXECUTE FUNCTION headgate.drop_ended_labels();
