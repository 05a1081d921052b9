DROP TABLE headgate.webhook_refusals, headgate.webhook_deliveries, headgate.workflow_webhooks;
