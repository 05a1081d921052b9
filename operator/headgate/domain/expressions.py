"""What can be said of expressions without evaluating them."""

from __future__ import annotations

VARIABLES = ("inputs", "nodes")
"""What expressions can refer to."""
