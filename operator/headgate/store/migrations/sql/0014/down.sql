DROP TABLE headgate.replication_beats;
