-- Parts of audit logs that lie in the object store, and where what is left of a log begins. Apart from the parts of runs
-- (0013): a program of the release before would take a part of another kind in their table for one of runs.

CREATE TABLE headgate.audit_parts (
    workspace_id    uuid NOT NULL REFERENCES headgate.workspaces,
    id              uuid NOT NULL,
    month           date NOT NULL CHECK (extract(day FROM month) = 1),
    state           text NOT NULL CHECK (state IN ('Writing', 'Verified', 'Removed', 'Expiring')),
    entries_before  timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    verified_at     timestamptz,
    first_sequence  bigint CHECK (first_sequence >= 1),
    last_sequence   bigint CHECK (last_sequence >= first_sequence),
    hash            bytea CHECK (octet_length(hash) = 32),
    first_at        timestamptz,
    last_at         timestamptz,
    files           jsonb,
    PRIMARY KEY (workspace_id, id),
    CHECK ((state = 'Writing') = (verified_at IS NULL)),
    CHECK ((state = 'Writing') = (first_sequence IS NULL)),
    CHECK ((state = 'Writing') = (last_sequence IS NULL)),
    CHECK ((state = 'Writing') = (hash IS NULL)),
    CHECK ((state = 'Writing') = (first_at IS NULL)),
    CHECK ((state = 'Writing') = (last_at IS NULL)),
    CHECK ((state = 'Writing') = (files IS NULL))
);
COMMENT ON TABLE headgate.audit_parts IS 'Entries of audit logs that lie in the object store: each part goes on where the one before it ends.';
COMMENT ON COLUMN headgate.audit_parts.month IS 'The month in which its entries were made.';
COMMENT ON COLUMN headgate.audit_parts.state IS 'Writing: nothing counts yet. Verified: read back. Removed: the rows are gone. Expiring: kept long enough, and being deleted.';
COMMENT ON COLUMN headgate.audit_parts.entries_before IS 'Entries that were made later are not in it.';
COMMENT ON COLUMN headgate.audit_parts.hash IS 'That of its last entry.';
COMMENT ON COLUMN headgate.audit_parts.first_at IS 'Its entries were made from then to last_at, about in the order of their numbers.';
COMMENT ON COLUMN headgate.audit_parts.files IS 'Paths, rows, sizes and SHA-256 of its files, by kind.';
CREATE UNIQUE INDEX audit_parts_writing ON headgate.audit_parts (workspace_id) WHERE state = 'Writing';
CREATE UNIQUE INDEX audit_parts_entries ON headgate.audit_parts (workspace_id, first_sequence);

CREATE TABLE headgate.audit_anchors (
    workspace_id  uuid NOT NULL REFERENCES headgate.workspaces,
    cut           text NOT NULL CHECK (cut IN ('Moved', 'Deleted')),
    sequence      bigint NOT NULL CHECK (sequence >= 1),
    hash          bytea NOT NULL CHECK (octet_length(hash) = 32),
    at            timestamptz NOT NULL,
    signing_key   text NOT NULL CHECK (octet_length(signing_key) BETWEEN 1 AND 64),
    signature     bytea NOT NULL CHECK (octet_length(signature) = 64),
    PRIMARY KEY (workspace_id, cut, sequence)
);
COMMENT ON TABLE headgate.audit_anchors IS 'Last entries of what was taken from the beginning of audit logs, signed by a key that Postgres does not know. What is left begins after the newest.';
COMMENT ON COLUMN headgate.audit_anchors.cut IS 'Moved: entries up to it are in the archive alone. Deleted: nowhere.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON headgate.audit_anchors
    FOR EACH STATEMENT EXECUTE FUNCTION headgate.refuse_to_change_audit();
