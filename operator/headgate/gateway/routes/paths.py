"""Where the API lies."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

VERSION = "v1"
API = f"/api/{VERSION}"
WORKSPACES = f"{API}/workspaces"
WORKSPACE = f"{WORKSPACES}/{{workspace}}"
"""Before every other path: in each router itself, because a request is counted by the path that its router knows."""
Step = Annotated[
    str,
    Path(
        max_length=80,
        pattern=r"^[a-z]([a-z0-9_-]*[a-z0-9])?(\.[0-9]{1,4})?$",
        description="The node; of one that runs for each item of a list, with a dot and the item's index behind it.",
    ),
]
