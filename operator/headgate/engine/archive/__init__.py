"""Moves what is old to the object store, reads it there, and deletes what was kept long enough."""
