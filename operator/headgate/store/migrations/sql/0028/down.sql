DROP TABLE headgate.unnoted_artifacts;
