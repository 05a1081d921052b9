"""Bringing the cluster to what is wanted: one short async function per kind, driven by a keyed queue."""
