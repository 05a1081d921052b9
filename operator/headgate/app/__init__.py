"""Composition of the operator: every part is made here, once, and handed what it needs."""
