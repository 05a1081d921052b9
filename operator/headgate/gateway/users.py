"""Somebody whom another than Headgate knows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class User:
    """A user, as the Workspace's ``members`` name them."""

    name: str
    groups: frozenset[str] = frozenset()
