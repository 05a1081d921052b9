-- Parts of the archive, and what stops them. Columns have constant defaults, so that no row is rewritten.

ALTER TABLE headgate.data_retention_policies ADD COLUMN legal_hold boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN headgate.data_retention_policies.legal_hold IS 'Nothing of the workspace is moved or deleted.';

CREATE TABLE headgate.archive_parts (
    workspace_id  uuid NOT NULL REFERENCES headgate.workspaces,
    id            uuid NOT NULL,
    month         date NOT NULL CHECK (extract(day FROM month) = 1),
    state         text NOT NULL CHECK (state IN ('Writing', 'Verified', 'Removed', 'Settled', 'Expiring')),
    ended_before  timestamptz NOT NULL,
    created_at    timestamptz NOT NULL,
    verified_at   timestamptz,
    first_run     uuid,
    last_run      uuid,
    runs          integer CHECK (runs >= 1),
    steps         integer CHECK (steps >= 0),
    stored_bytes  bigint CHECK (stored_bytes >= 0),
    log_bytes     bigint CHECK (log_bytes >= 0),
    files         jsonb,
    PRIMARY KEY (workspace_id, id),
    CHECK ((state = 'Writing') = (verified_at IS NULL)),
    CHECK ((state = 'Writing') = (first_run IS NULL)),
    CHECK ((state = 'Writing') = (last_run IS NULL)),
    CHECK ((state = 'Writing') = (runs IS NULL)),
    CHECK ((state = 'Writing') = (steps IS NULL)),
    CHECK ((state = 'Writing') = (stored_bytes IS NULL)),
    CHECK ((state = 'Writing') = (log_bytes IS NULL)),
    CHECK ((state = 'Writing') = (files IS NULL))
);
COMMENT ON TABLE headgate.archive_parts IS 'Runs that lie in the object store. A run is in one part, or in the history, or, until the part''s rows are removed, in both.';
COMMENT ON COLUMN headgate.archive_parts.month IS 'The month in which its runs were admitted, which is their partition.';
COMMENT ON COLUMN headgate.archive_parts.state IS 'Writing: nothing counts yet. Verified: read back. Removed: the rows are gone. Settled: their bytes are given back. Expiring: kept long enough, and being deleted.';
COMMENT ON COLUMN headgate.archive_parts.ended_before IS 'Runs that ended later are not in it.';
COMMENT ON COLUMN headgate.archive_parts.first_run IS 'Its runs have ids from this one to last_run; others with such an id may be elsewhere.';
COMMENT ON COLUMN headgate.archive_parts.stored_bytes IS 'What its runs took of the workspace''s storage, logs left out.';
COMMENT ON COLUMN headgate.archive_parts.log_bytes IS 'What the logs of its runs take, which stay as long as it.';
COMMENT ON COLUMN headgate.archive_parts.files IS 'Paths, rows, sizes and SHA-256 of its files, by kind.';
-- Whoever archives a workspace goes on with what another one began: there are never two parts that could take one run.
CREATE UNIQUE INDEX archive_parts_writing ON headgate.archive_parts (workspace_id) WHERE state = 'Writing';
CREATE INDEX archive_parts_runs ON headgate.archive_parts (workspace_id, last_run) INCLUDE (first_run, state);
CREATE INDEX archive_parts_month ON headgate.archive_parts (workspace_id, month, state);

CREATE TABLE headgate.archive_rounds (
    due_at       timestamptz PRIMARY KEY,
    finished_at  timestamptz NOT NULL
);
COMMENT ON TABLE headgate.archive_rounds IS 'Which daily rounds were done to their end; the last one alone is kept.';
