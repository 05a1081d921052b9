DROP FUNCTION headgate.room, headgate.count_use, headgate.keep_bytes, headgate.move_to_pot;
ALTER TABLE headgate.workflow_executions DROP COLUMN probe;
DROP TABLE headgate.data_retention_policies, headgate.workspace_circuit_breakers, headgate.quota_pots;
DROP POLICY system_hold ON headgate.workspace_usage;
REVOKE UPDATE (day) ON headgate.workspace_usage FROM headgate_system;
ALTER TABLE headgate.workspace_usage DROP COLUMN storage_bytes;
DROP INDEX headgate.workspace_resource_quotas_pot;
ALTER TABLE headgate.workspace_resource_quotas DROP COLUMN pot, DROP COLUMN on_exceeded;
