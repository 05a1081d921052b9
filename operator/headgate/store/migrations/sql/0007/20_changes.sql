-- What changed in runs and their attempts, in an order that can be followed.
--
-- Numbers from a sequence are drawn before a transaction commits: whoever has read 7 cannot know whether 6 is still to
-- come. So the order is that of transactions' ids, then numbers, and only those are read that lie below the oldest
-- transaction under way: below it nothing appears any more. Whatever statement changes something, it is noted by it, and
-- costs no further round trip.

CREATE TABLE headgate.run_changes (
    workspace_id    uuid NOT NULL,
    transaction_id  bigint NOT NULL,
    number          bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    execution_id    uuid NOT NULL,
    node            text CHECK (octet_length(node) BETWEEN 1 AND 80),
    attempt         integer CHECK (attempt >= 0),
    phase           text NOT NULL CHECK (octet_length(phase) <= 32),
    reason          text NOT NULL CHECK (octet_length(reason) <= 128),
    log_kept        boolean NOT NULL,
    changed_at      timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, transaction_id, number),
    CHECK ((node IS NULL) = (attempt IS NULL))
);
COMMENT ON TABLE headgate.run_changes IS 'Kept for a day: the rows of runs are the truth, and this tells who follows them when to look.';
COMMENT ON COLUMN headgate.run_changes.transaction_id IS 'The transaction that changed it, of this server: it means nothing on another one.';
COMMENT ON COLUMN headgate.run_changes.node IS 'The node whose attempt changed; NULL where the run did.';
COMMENT ON COLUMN headgate.run_changes.log_kept IS 'Whether the attempt''s log is where it stays.';
CREATE INDEX run_changes_execution ON headgate.run_changes (workspace_id, execution_id, transaction_id, number);
CREATE INDEX run_changes_age ON headgate.run_changes USING brin (changed_at) WITH (autosummarize = on);

ALTER TABLE headgate.run_changes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.run_changes TO headgate_app
    USING (workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
GRANT SELECT, INSERT ON headgate.run_changes TO headgate_app;
-- To find who has news, and to forget what is old; what changed it does not see.
CREATE POLICY system_read ON headgate.run_changes FOR SELECT TO headgate_system USING (true);
CREATE POLICY system_forget ON headgate.run_changes FOR DELETE TO headgate_system USING (true);
GRANT SELECT (workspace_id, transaction_id, changed_at), DELETE ON headgate.run_changes TO headgate_system;

CREATE FUNCTION headgate.note_run_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO headgate.run_changes (workspace_id, transaction_id, execution_id, phase, reason, log_kept, changed_at)
    VALUES (NEW.workspace_id, CAST(CAST(pg_current_xact_id() AS text) AS bigint), NEW.id, NEW.status,
        coalesce(CASE WHEN NEW.cancelling AND NEW.finished_at IS NULL THEN 'Cancelling' END,
            left(split_part(NEW.held, ': ', 1), 32), NEW.waiting_reason, ''),
        false, clock_timestamp());
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION headgate.note_run_change FROM PUBLIC;
