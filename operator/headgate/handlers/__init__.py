"""Kopf: events of the cluster go into the cache, and keys into the queue. Nothing else happens here."""
