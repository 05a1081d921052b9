-- What the log gets, when all else is there: from here to the end of the transaction nobody reads or writes it.

LOCK TABLE headgate.audit_log IN ACCESS EXCLUSIVE MODE;

CREATE TRIGGER anchored AFTER DELETE ON headgate.audit_log REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION headgate.refuse_beyond_anchor();

CREATE POLICY removal_read ON headgate.audit_log FOR SELECT TO headgate_owner USING (
    (SELECT current_setting('headgate.removing', true)) = 'part'
    AND workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
CREATE POLICY removal ON headgate.audit_log FOR DELETE TO headgate_owner USING (
    (SELECT current_setting('headgate.removing', true)) = 'part'
    AND workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
