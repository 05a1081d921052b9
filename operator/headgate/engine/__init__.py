"""Use cases of running workflows, one Postgres transaction each."""
