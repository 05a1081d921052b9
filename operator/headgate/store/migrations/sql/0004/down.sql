DROP INDEX headgate.tasks_stopping;
DROP TABLE headgate.api_keys;
