-- As 0029a has it of notes.

ALTER TABLE headgate.analytics_deltas
    DROP CONSTRAINT analytics_deltas_node_check,
    DROP CONSTRAINT analytics_deltas_sign_check,
    DROP CONSTRAINT analytics_deltas_phase_check;
