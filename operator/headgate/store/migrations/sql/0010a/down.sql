LOCK TABLE headgate.workflow_execution_steps IN ACCESS EXCLUSIVE MODE;
DROP TRIGGER tally_attempt ON headgate.workflow_execution_steps;
DROP TRIGGER tally_attempt_of_new ON headgate.workflow_execution_steps;
DROP TRIGGER price_attempt ON headgate.workflow_execution_steps;
DROP FUNCTION headgate.tally_attempt, headgate.price_attempt;
DROP TABLE headgate.label_costs_daily, headgate.node_analytics_daily, headgate.run_durations_daily,
    headgate.workspace_analytics_daily, headgate.analytics_deltas, headgate.price_tables;
ALTER TABLE headgate.workflow_execution_steps DROP COLUMN hourly_rate, DROP COLUMN price_version, DROP COLUMN cost;
