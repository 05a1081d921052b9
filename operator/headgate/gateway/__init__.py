"""The HTTP API: what people and programs ask for, and what runners do."""
