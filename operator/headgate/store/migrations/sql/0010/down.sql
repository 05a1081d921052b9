DROP FUNCTION headgate.partitions_ahead(timestamptz);
DROP TABLE headgate.audit_checkpoints, headgate.audit_rounds, headgate.audit_log, headgate.audit_heads;
DROP FUNCTION headgate.chain_audit_entry(), headgate.refuse_to_change_audit();
DROP FUNCTION headgate.audit_part(text), headgate.audit_part(bytea);
