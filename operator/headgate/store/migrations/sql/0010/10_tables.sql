-- Who did what. Not partitioned by month: that a number is there once is what the chain rests on, and an index that is
-- unique over all months cannot be had with partitions by time. Entries are few beside steps, one for what a person did.

-- One row for each workspace, locked by whoever adds an entry until its transaction ends. Every update must stay on its
-- page (HOT).
CREATE TABLE headgate.audit_heads (
    workspace_id     uuid PRIMARY KEY REFERENCES headgate.workspaces,
    sequence         bigint NOT NULL CHECK (sequence >= 0),
    hash             bytea NOT NULL CHECK (octet_length(hash) = 32),
    signed_sequence  bigint NOT NULL CHECK (signed_sequence >= 0)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE headgate.audit_heads IS 'The newest entry of each workspace''s audit log.';
COMMENT ON COLUMN headgate.audit_heads.signed_sequence IS 'Up to where a checkpoint was signed. Says what there is to sign, and proves nothing.';

CREATE TABLE headgate.audit_log (
    workspace_id   uuid NOT NULL,
    sequence       bigint NOT NULL CHECK (sequence >= 1),
    at             timestamptz NOT NULL,
    actor_kind     text NOT NULL CHECK (octet_length(actor_kind) BETWEEN 1 AND 32),
    actor_name     text NOT NULL CHECK (octet_length(actor_name) <= 512),
    actor_via      text NOT NULL CHECK (octet_length(actor_via) <= 64),
    action         text NOT NULL CHECK (octet_length(action) BETWEEN 1 AND 64),
    object         text NOT NULL CHECK (octet_length(object) <= 512),
    outcome        text NOT NULL CHECK (outcome IN ('Done', 'Refused')),
    detail         json NOT NULL CHECK (octet_length(detail::text) <= 4096),
    previous_hash  bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
    hash           bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (workspace_id, sequence)
);
COMMENT ON TABLE headgate.audit_log IS 'Who did what. Entries are added, and never changed or deleted.';
COMMENT ON COLUMN headgate.audit_log.at IS 'By the clock of the process that did it: entries are in the order of their numbers, and about in that of their times.';
COMMENT ON COLUMN headgate.audit_log.detail IS 'json and not jsonb, since its text is hashed as it is.';
COMMENT ON COLUMN headgate.audit_log.hash IS 'SHA-256 of all that is in the row before it, and of the workspace.';

-- The heads of all workspaces that changed since the round before, signed together.
CREATE TABLE headgate.audit_rounds (
    number       bigint PRIMARY KEY CHECK (number >= 1),
    at           timestamptz NOT NULL,
    previous     bytea NOT NULL CHECK (octet_length(previous) = 32),
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    signing_key  text NOT NULL CHECK (octet_length(signing_key) BETWEEN 1 AND 64),
    signature    bytea NOT NULL CHECK (octet_length(signature) = 64)
);
COMMENT ON TABLE headgate.audit_rounds IS 'What was signed at one time over all workspaces; each says what the one before it was.';

CREATE TABLE headgate.audit_checkpoints (
    workspace_id  uuid NOT NULL REFERENCES headgate.workspaces,
    sequence      bigint NOT NULL CHECK (sequence >= 1),
    hash          bytea NOT NULL CHECK (octet_length(hash) = 32),
    at            timestamptz NOT NULL,
    round         bigint NOT NULL,
    signing_key   text NOT NULL CHECK (octet_length(signing_key) BETWEEN 1 AND 64),
    signature     bytea NOT NULL CHECK (octet_length(signature) = 64),
    PRIMARY KEY (workspace_id, sequence)
);
COMMENT ON TABLE headgate.audit_checkpoints IS 'Heads of audit logs, signed by a key that Postgres does not know.';
CREATE INDEX audit_checkpoints_round ON headgate.audit_checkpoints (round, workspace_id);
