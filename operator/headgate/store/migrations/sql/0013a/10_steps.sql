-- What steps get for the archive, in a revision of its own: whoever writes them has their run locked already.

LOCK TABLE headgate.workflow_execution_steps IN ACCESS EXCLUSIVE MODE;

-- A log may come after the end of its attempt. Nothing is archived on the day on which it ended.
CREATE TRIGGER archived BEFORE UPDATE ON headgate.workflow_execution_steps
    FOR EACH ROW WHEN (OLD.attempt_finished_at < now() - interval '1 hour')
    EXECUTE FUNCTION headgate.refuse_to_change_archived_step();

CREATE POLICY removal ON headgate.workflow_execution_steps TO headgate_owner USING (
    (SELECT current_setting('headgate.removing', true)) = 'month'
    OR (SELECT current_setting('headgate.removing', true)) = 'part'
    AND workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
