DROP TABLE headgate.credential_releases, headgate.credentials, headgate.data_keys;
