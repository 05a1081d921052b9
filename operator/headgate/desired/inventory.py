"""Which namespaces a workspace has, and what becomes of those that it no longer wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.api.workspace import DeletionPolicy
from headgate.desired.namespace import is_adopted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from headgate.api.workspace import Workspace


@dataclass(frozen=True)
class Inventory:
    """The namespaces of a workspace, by name."""

    wanted: tuple[str, ...]
    """Those of the spec."""
    kept: tuple[str, ...] = ()
    """Taken off the spec and kept: everything in them stays, and nothing new can be made, as their limits are zero."""
    released: tuple[str, ...] = ()
    """Taken off the spec, and had been adopted: they are let go as they came."""
    doomed: tuple[str, ...] = ()
    """Taken off the spec of a workspace whose deletion policy is Delete."""
    adopted: frozenset[str] = frozenset()
    """Those that existed before they became the workspace's."""


def take_stock(workspace: Workspace, live: Mapping[str, Mapping[str, Any]]) -> Inventory:
    """``live`` are the Namespaces that are labelled as the workspace's, by name."""
    wanted = tuple(share.name for share in workspace.namespaces)
    surplus = sorted(
        name for name, item in live.items() if name not in wanted and not item["metadata"].get("deletionTimestamp")
    )
    adopted = frozenset(name for name, item in live.items() if is_adopted(item))
    others = [name for name in surplus if name not in adopted]
    doomed = workspace.spec.deletion_policy is DeletionPolicy.DELETE
    return Inventory(
        wanted=wanted,
        kept=() if doomed else tuple(others),
        released=tuple(name for name in surplus if name in adopted),
        doomed=tuple(others) if doomed else (),
        adopted=adopted,
    )
