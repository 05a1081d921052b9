-- A number that goes up while somebody reads from a standby, which shows by it how far it has come. Positions in the log
-- would tell the same without a write, but not every service tells them, nor of which of several standbys they are.

CREATE TABLE headgate.replication_beats (
    one     boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (one),
    number  bigint NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE headgate.replication_beats IS 'One row. What was committed before a number was written is there wherever the number is.';

ALTER TABLE headgate.replication_beats ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.replication_beats FOR SELECT TO headgate_app USING (true);
CREATE POLICY system ON headgate.replication_beats TO headgate_system USING (true);
GRANT SELECT ON headgate.replication_beats TO headgate_app;
GRANT SELECT, INSERT, UPDATE (number) ON headgate.replication_beats TO headgate_system;
