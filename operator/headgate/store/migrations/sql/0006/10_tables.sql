-- Calls of the API. The window is part of every key, so that a second hour is another row.

CREATE TABLE headgate.workspace_rate_limits (
    workspace_id  uuid NOT NULL REFERENCES headgate.workspaces,
    subject       text NOT NULL CHECK (octet_length(subject) <= 64),
    window_start  timestamptz NOT NULL,
    used          integer NOT NULL CHECK (used >= 0),
    generation    integer NOT NULL,
    PRIMARY KEY (workspace_id, subject, window_start)
);
COMMENT ON TABLE headgate.workspace_rate_limits IS 'Calls of the API in one window: an hour for all of a workspace, a minute for one caller.';
COMMENT ON COLUMN headgate.workspace_rate_limits.subject IS 'Digest of who calls; empty for all of the workspace together.';
COMMENT ON COLUMN headgate.workspace_rate_limits.used IS 'Calls that passed, and calls that are lent and may yet pass.';
COMMENT ON COLUMN headgate.workspace_rate_limits.generation IS 'Which loans count: those of former generations were given back.';

CREATE TABLE headgate.rate_limit_loans (
    workspace_id  uuid NOT NULL,
    subject       text NOT NULL,
    window_start  timestamptz NOT NULL,
    replica       uuid NOT NULL,
    lent          integer NOT NULL CHECK (lent >= 0),
    spent         integer CHECK (spent >= 0),
    PRIMARY KEY (workspace_id, subject, window_start, replica),
    FOREIGN KEY (workspace_id, subject, window_start) REFERENCES headgate.workspace_rate_limits ON DELETE CASCADE
);
COMMENT ON TABLE headgate.rate_limit_loans IS 'Replicas of the gateway that spend lent calls of the current generation.';
COMMENT ON COLUMN headgate.rate_limit_loans.lent IS 'Calls that this replica took for all of them.';
COMMENT ON COLUMN headgate.rate_limit_loans.spent IS 'Calls that this replica let pass, told when it spends no more; NULL before. Once all have told, what is left is given back.';
CREATE INDEX rate_limit_loans_settling ON headgate.rate_limit_loans (workspace_id, subject, window_start)
    WHERE spent IS NOT NULL;

CREATE TABLE headgate.pot_rate_limits (
    pot           text NOT NULL,
    window_start  timestamptz NOT NULL,
    used          integer NOT NULL CHECK (used >= 0),
    PRIMARY KEY (pot, window_start)
);
COMMENT ON TABLE headgate.pot_rate_limits IS 'Calls of all workspaces on a shared Quota in one hour: the sum of theirs.';
