"""Where the API lies."""

from __future__ import annotations

VERSION = "v1"
API = f"/api/{VERSION}"
WORKSPACES = f"{API}/workspaces"
WORKSPACE = f"{WORKSPACES}/{{workspace}}"
"""Before every other path: in each router itself, because a request is counted by the path that its router knows."""
