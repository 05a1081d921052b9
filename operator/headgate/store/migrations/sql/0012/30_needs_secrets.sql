-- As 0008 has it, with connectors: wherever in one a Secret is named.
ALTER TABLE headgate.tasks DROP COLUMN needs_secrets;
ALTER TABLE headgate.tasks ADD COLUMN needs_secrets boolean GENERATED ALWAYS AS (
    work @? '$.http.headers[*].secretKeyRef ? (@ != null)' OR work @? '$.sql.connection ? (@ != null)'
    OR work @? '$.script.env[*].valueFrom.secretKeyRef ? (@ != null)'
    OR work @? '$.connector.**.secretKeyRef ? (@ != null)'
) STORED;
