"""CEL expressions, evaluated in child processes with hard limits.

The child imports this package too: keep it free of imports.
"""
