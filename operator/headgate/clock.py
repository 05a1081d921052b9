"""The time, for those who hand it to all others."""

from __future__ import annotations

from datetime import UTC, datetime


def wall() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)
