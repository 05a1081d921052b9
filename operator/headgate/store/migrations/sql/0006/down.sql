DROP FUNCTION headgate.move_calls_to_pot, headgate.settle_loans, headgate.join_loans, headgate.take_calls,
    headgate.is_settling, headgate.lend, headgate.pot_calls_in, headgate.calls_in, headgate.clock;
DROP TABLE headgate.rate_limit_loans, headgate.workspace_rate_limits, headgate.pot_rate_limits;
