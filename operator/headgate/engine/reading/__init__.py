"""Shows what happened."""
