"""Copies between systems: where they stand."""
