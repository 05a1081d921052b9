"""Somebody whom another than Headgate knows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class User:
    """A user, as the Workspace's ``members`` name them."""

    name: str
    groups: frozenset[str] = frozenset()
    via: str = field(default="Kubernetes token", compare=False)
    """How it is known that it is they."""
