"""The HTTP API: so far what runners ask for."""
