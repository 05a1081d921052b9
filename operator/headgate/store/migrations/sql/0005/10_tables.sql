-- Credentials as ciphertexts. Whoever reads these tables, or a backup of them, learns names, kinds and lengths; the
-- key-encryption keys, without which nothing can be read, are never in Postgres.

CREATE TABLE headgate.data_keys (
    workspace_id        uuid NOT NULL REFERENCES headgate.workspaces,
    id                  uuid NOT NULL,
    key_encryption_key  text NOT NULL CHECK (octet_length(key_encryption_key) BETWEEN 1 AND 64),
    wrapped             bytea NOT NULL CHECK (octet_length(wrapped) = 60),
    created_at          timestamptz NOT NULL,
    retired_at          timestamptz,
    PRIMARY KEY (workspace_id, id)
);
COMMENT ON TABLE headgate.data_keys IS 'Keys that seal the credentials of one workspace, each wrapped by a key-encryption key.';
COMMENT ON COLUMN headgate.data_keys.key_encryption_key IS 'Id of the key-encryption key that wraps it.';
COMMENT ON COLUMN headgate.data_keys.wrapped IS 'Nonce, ciphertext and tag of AES-256-GCM: 12, 32 and 16 bytes.';
COMMENT ON COLUMN headgate.data_keys.retired_at IS 'When another one took its place; NULL for the one that seals. It opens until nothing lies under it, and is deleted then.';
CREATE UNIQUE INDEX data_keys_current ON headgate.data_keys (workspace_id) WHERE retired_at IS NULL;

CREATE TABLE headgate.credentials (
    workspace_id  uuid NOT NULL,
    name          text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 253),
    id            uuid NOT NULL,
    kind          text NOT NULL CHECK (octet_length(kind) BETWEEN 1 AND 63),
    version       integer NOT NULL CHECK (version >= 1),
    data_key_id   uuid NOT NULL,
    sealed        bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 29 AND 65536),
    created_by    text NOT NULL CHECK (octet_length(created_by) BETWEEN 1 AND 512),
    created_at    timestamptz NOT NULL,
    updated_by    text NOT NULL CHECK (octet_length(updated_by) BETWEEN 1 AND 512),
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, name),
    FOREIGN KEY (workspace_id, data_key_id) REFERENCES headgate.data_keys
);
COMMENT ON TABLE headgate.credentials IS 'What nodes may be given, as ciphertext only.';
COMMENT ON COLUMN headgate.credentials.id IS 'Another one where a name is used again after it was deleted.';
COMMENT ON COLUMN headgate.credentials.kind IS 'What its values are for, in a word; not secret.';
COMMENT ON COLUMN headgate.credentials.version IS 'Counts the values it had. Sealing the same values under another key leaves it.';
COMMENT ON COLUMN headgate.credentials.data_key_id IS 'The data key that it lies under.';
COMMENT ON COLUMN headgate.credentials.sealed IS 'Nonce, ciphertext and tag of AES-256-GCM, bound to workspace, id, name, kind, version and data key.';
COMMENT ON COLUMN headgate.credentials.created_by IS 'Who put the first version.';
COMMENT ON COLUMN headgate.credentials.updated_by IS 'Who put this version.';
CREATE INDEX credentials_data_key ON headgate.credentials (workspace_id, data_key_id);

CREATE TABLE headgate.credential_releases (
    workspace_id   uuid NOT NULL REFERENCES headgate.workspaces,
    execution_id   uuid NOT NULL,
    node           text NOT NULL CHECK (octet_length(node) BETWEEN 1 AND 80),
    attempt        integer NOT NULL CHECK (attempt >= 1),
    id             uuid NOT NULL,
    credential     text NOT NULL CHECK (octet_length(credential) BETWEEN 1 AND 253),
    credential_id  uuid NOT NULL,
    version        integer NOT NULL CHECK (version >= 1),
    runner         text NOT NULL CHECK (octet_length(runner) BETWEEN 1 AND 253),
    released_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, execution_id, node, attempt, id)
);
COMMENT ON TABLE headgate.credential_releases IS 'Every time that values left Postgres: rows are added, never changed. They stay when the credential is deleted.';
COMMENT ON COLUMN headgate.credential_releases.execution_id IS 'The run, of which a node''s attempt was given the values.';
COMMENT ON COLUMN headgate.credential_releases.id IS 'UUIDv7 of the release.';
COMMENT ON COLUMN headgate.credential_releases.credential IS 'The name that it had.';
COMMENT ON COLUMN headgate.credential_releases.runner IS 'Who held the attempt: pod and uid.';
CREATE INDEX credential_releases_credential ON headgate.credential_releases (workspace_id, credential, id);
