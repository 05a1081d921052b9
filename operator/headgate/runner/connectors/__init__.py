"""Connectors: other systems, each by a library that is imported when the first node asks for it."""
