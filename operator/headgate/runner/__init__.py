"""Executes built-in nodes beside the tenant's other code: it knows the gateway, and neither database nor cluster."""
