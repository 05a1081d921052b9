"""Statements about the archive: what goes into it, its parts, and how rows leave the history."""
