"""Copies from one system to another."""
