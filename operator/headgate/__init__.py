"""Headgate: a Kubernetes operator for multi-tenant workflows."""
