DROP TABLE headgate.pool_logs;
