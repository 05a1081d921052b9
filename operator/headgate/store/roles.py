"""The three roles that Headgate's rows know. Logins come and go; these own and see."""

from __future__ import annotations

OWNER = "headgate_owner"
"""Owns every table; migrations run as it."""
APP = "headgate_app"
"""Sees one workspace at a time, by row-level security."""
SYSTEM = "headgate_system"
"""Sees what crosses workspaces, column by column."""
