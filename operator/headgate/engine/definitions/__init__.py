"""Definitions of workflows: read once, remembered, and told of when they change."""
