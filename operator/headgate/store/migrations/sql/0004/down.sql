DROP TABLE headgate.api_keys;
