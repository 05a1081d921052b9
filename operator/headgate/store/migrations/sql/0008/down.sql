ALTER TABLE headgate.tasks DROP COLUMN needs_secrets;
