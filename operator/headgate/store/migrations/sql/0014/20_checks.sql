-- Asked of every row, which takes its time, and holds up neither readers nor writers.
ALTER TABLE headgate.workflow_executions VALIDATE CONSTRAINT workflow_executions_labels_check;
ALTER TABLE headgate.workflow_execution_steps
    VALIDATE CONSTRAINT workflow_execution_steps_hourly_rate_check,
    VALIDATE CONSTRAINT workflow_execution_steps_price_version_check,
    VALIDATE CONSTRAINT workflow_execution_steps_cost_check;
