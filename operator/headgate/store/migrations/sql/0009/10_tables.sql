-- What takes deliveries of webhooks, and what became of each. Neither is partitioned: a delivery is told from others by
-- an index that is unique over all months, each workspace says for itself how long deliveries are kept, and they are
-- few beside steps.

CREATE TABLE headgate.workflow_webhooks (
    workspace_id  uuid NOT NULL,
    workflow_id   uuid NOT NULL,
    node          text NOT NULL CHECK (octet_length(node) BETWEEN 1 AND 40),
    hook          text NOT NULL CHECK (octet_length(hook) BETWEEN 1 AND 63),
    credentials   text[] NOT NULL CHECK (cardinality(credentials) BETWEEN 1 AND 4),
    config        jsonb NOT NULL,
    PRIMARY KEY (workspace_id, workflow_id, node),
    FOREIGN KEY (workspace_id, workflow_id) REFERENCES headgate.workflows
);
COMMENT ON TABLE headgate.workflow_webhooks IS 'The webhook triggers of workflows, as their current versions have them.';
COMMENT ON COLUMN headgate.workflow_webhooks.credentials IS 'Names of the credentials whose values sign.';
CREATE INDEX workflow_webhooks_hook ON headgate.workflow_webhooks (workspace_id, hook);

CREATE TABLE headgate.webhook_deliveries (
    workspace_id      uuid NOT NULL REFERENCES headgate.workspaces,
    id                uuid NOT NULL,
    hook              text NOT NULL CHECK (octet_length(hook) BETWEEN 1 AND 63),
    format            text NOT NULL CHECK (format IN ('standard', 'github')),
    message_id        text NOT NULL CHECK (octet_length(message_id) BETWEEN 1 AND 128),
    event             text NOT NULL CHECK (octet_length(event) <= 128),
    received_at       timestamptz NOT NULL,
    attempts          integer NOT NULL CHECK (attempts >= 1),
    redelivery_of     uuid,
    requested_by      text CHECK (octet_length(requested_by) <= 512),
    reason            text NOT NULL CHECK (octet_length(reason) <= 128),
    message           text NOT NULL CHECK (octet_length(message) <= 1024),
    results           jsonb NOT NULL,
    headers           jsonb NOT NULL,
    body_bytes        integer NOT NULL CHECK (body_bytes >= 0),
    data_key_id       uuid,
    sealed            bytea CHECK (octet_length(sealed) BETWEEN 28 AND 65564),
    PRIMARY KEY (workspace_id, id),
    CHECK ((data_key_id IS NULL) = (sealed IS NULL)),
    CHECK ((redelivery_of IS NULL) = (requested_by IS NULL))
);
COMMENT ON TABLE headgate.webhook_deliveries IS 'Deliveries that were signed as they have to be. Others are only counted.';
COMMENT ON COLUMN headgate.webhook_deliveries.message_id IS 'As its sender names it: the same when it is sent again.';
COMMENT ON COLUMN headgate.webhook_deliveries.attempts IS 'How often it was looked at: more than once where it had been refused, or came several times at once.';
COMMENT ON COLUMN headgate.webhook_deliveries.redelivery_of IS 'The delivery whose body was handed to the triggers again, as requested_by asked.';
COMMENT ON COLUMN headgate.webhook_deliveries.reason IS 'Why no trigger was asked at all; empty otherwise.';
COMMENT ON COLUMN headgate.webhook_deliveries.results IS 'What became of it, by trigger: <namespace>/<workflow>/<node>.';
COMMENT ON COLUMN headgate.webhook_deliveries.sealed IS 'The body: nonce, ciphertext and tag of AES-256-GCM, bound to workspace, data key, hook, format and message_id. Unreadable once the data key is gone.';
CREATE UNIQUE INDEX webhook_deliveries_message ON headgate.webhook_deliveries (workspace_id, hook, format, message_id)
    WHERE redelivery_of IS NULL;
CREATE INDEX webhook_deliveries_hook ON headgate.webhook_deliveries (workspace_id, hook, id);
CREATE INDEX webhook_deliveries_data_key ON headgate.webhook_deliveries (workspace_id, data_key_id)
    WHERE data_key_id IS NOT NULL;

-- A row for each webhook, whatever comes from whomever.
CREATE TABLE headgate.webhook_refusals (
    workspace_id  uuid NOT NULL REFERENCES headgate.workspaces,
    hook          text NOT NULL CHECK (octet_length(hook) BETWEEN 1 AND 63),
    total         bigint NOT NULL CHECK (total >= 1),
    last_at       timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, hook)
) WITH (fillfactor = 50);
COMMENT ON TABLE headgate.webhook_refusals IS 'Requests to webhooks that none of their secrets had signed.';
