-- Told by the work itself, so that nobody who queues an attempt can forget it, and what is queued already has it.
ALTER TABLE headgate.tasks ADD COLUMN needs_secrets boolean GENERATED ALWAYS AS (
    work @? '$.http.headers[*].secretKeyRef ? (@ != null)' OR work @? '$.sql.connection ? (@ != null)'
    OR work @? '$.script.env[*].valueFrom.secretKeyRef ? (@ != null)'
) STORED;
