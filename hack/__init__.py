"""Developer tooling that runs on a bare machine, before any virtual environment exists."""
