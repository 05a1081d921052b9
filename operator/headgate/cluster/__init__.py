"""Kubernetes I/O: connection, client, cache, leader election."""
