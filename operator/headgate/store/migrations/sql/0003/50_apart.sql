-- Test and Debug runs have no place among the runs that the quota bounds. They never wait as Pending: there is room, or they
-- are refused, and whoever asked asks again.

CREATE FUNCTION headgate.room_apart(
    _workspace uuid, _workflow uuid, _bytes bigint,
    OUT reason text, OUT refused boolean, OUT until timestamptz, OUT probe integer
) LANGUAGE plpgsql AS $$
DECLARE
    stored bigint;
    quota  headgate.workspace_resource_quotas;
BEGIN
    SELECT storage_bytes INTO STRICT stored FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    SELECT * INTO STRICT quota FROM headgate.workspace_resource_quotas WHERE workspace_id = _workspace;
    IF quota.pot IS NOT NULL THEN
        SELECT storage_bytes INTO STRICT stored FROM headgate.quota_pots WHERE name = quota.pot FOR UPDATE;
    END IF;
    IF (SELECT suspended FROM headgate.workspaces WHERE id = _workspace) THEN
        reason := 'Suspended';
    ELSIF (SELECT suspended FROM headgate.workflows WHERE workspace_id = _workspace AND id = _workflow) THEN
        reason := 'WorkflowSuspended';
    ELSIF 5 <= (
        SELECT count(*) FROM headgate.workflow_executions e
        WHERE e.workspace_id = _workspace AND e.status IN ('Running', 'Suspended') AND e.mode <> 'Normal'
    ) THEN
        reason := 'TestLimit';
    ELSIF stored >= quota.max_storage_mb::bigint * 1000000 OR stored + _bytes > quota.max_storage_mb::bigint * 1000000 THEN
        reason := 'StorageLimit';
    END IF;
    refused := reason IS NOT NULL;
END
$$;
COMMENT ON FUNCTION headgate.room_apart IS 'Whether one more Test or Debug run may start, which keeps so many bytes. It is refused where it may not.';
REVOKE ALL ON FUNCTION headgate.room_apart FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.room_apart TO headgate_app;
