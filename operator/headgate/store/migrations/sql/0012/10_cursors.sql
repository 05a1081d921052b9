-- A row for each node that copies, until its workflow is deleted: it is the workflow's, and not a run's.
CREATE TABLE headgate.sync_cursors (
    workspace_id  uuid NOT NULL,
    workflow_id   uuid NOT NULL,
    node          text NOT NULL CHECK (octet_length(node) BETWEEN 1 AND 80),
    digest        text NOT NULL CHECK (octet_length(digest) = 64),
    reached       text CHECK (octet_length(reached) <= 65536),
    pending       text CHECK (octet_length(pending) <= 65536),
    batches       bigint NOT NULL CHECK (batches >= 0),
    records       bigint NOT NULL CHECK (records >= 0),
    run_id        uuid NOT NULL,
    attempt       integer NOT NULL CHECK (attempt >= 1),
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, workflow_id, node),
    FOREIGN KEY (workspace_id, workflow_id) REFERENCES headgate.workflows
) WITH (fillfactor = 50);
COMMENT ON TABLE headgate.sync_cursors IS 'How far the copies of connector nodes have come.';
COMMENT ON COLUMN headgate.sync_cursors.digest IS 'SHA-256 of where from and where to: with another one, copying begins anew.';
COMMENT ON COLUMN headgate.sync_cursors.reached IS 'All up to there is written, in the words of the source; NULL before the first batch.';
COMMENT ON COLUMN headgate.sync_cursors.pending IS 'Up to where a batch is being written that must be the same when it is written again.';
COMMENT ON COLUMN headgate.sync_cursors.run_id IS 'The run whose attempt alone may move it.';
