ALTER TABLE headgate.analytics_deltas
    ADD CONSTRAINT analytics_deltas_node_check CHECK (octet_length(node) BETWEEN 1 AND 80),
    ADD CONSTRAINT analytics_deltas_sign_check CHECK (sign IN (-1, 1)),
    ADD CONSTRAINT analytics_deltas_phase_check CHECK (octet_length(phase) <= 32);
