DROP TABLE headgate.run_artifacts;
