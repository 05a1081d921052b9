ALTER TABLE headgate.run_changes
    ADD CONSTRAINT run_changes_node_check CHECK (octet_length(node) BETWEEN 1 AND 80),
    ADD CONSTRAINT run_changes_attempt_check CHECK (attempt >= 0),
    ADD CONSTRAINT run_changes_phase_check CHECK (octet_length(phase) <= 32),
    ADD CONSTRAINT run_changes_reason_check CHECK (octet_length(reason) <= 128),
    ADD CONSTRAINT run_changes_check CHECK ((node IS NULL) = (attempt IS NULL));
