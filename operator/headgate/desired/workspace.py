"""All children of a Workspace."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from headgate.desired.context import ClusterFacts, NamespaceContext
from headgate.desired.inventory import Inventory, take_stock
from headgate.desired.limits import limit_range, resource_quota, workspace_totals
from headgate.desired.member_access import member_access
from headgate.desired.namespace import namespace
from headgate.desired.network_policies import network_policies
from headgate.desired.role_bindings import role_bindings
from headgate.desired.runner_pool import pool
from headgate.desired.service_accounts import service_accounts
from headgate.domain.grants import NOTHING
from headgate.domain.shares import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.api.quota import Quota
    from headgate.api.workspace import Workspace
    from headgate.desired.allotment import Amounts
    from headgate.desired.manifest import Manifest
    from headgate.domain.amounts import Amount


def children(
    workspace: Workspace,
    quota: Quota,
    context: ClusterFacts,
    *,
    inventory: Inventory | None = None,
    hard: Mapping[str, Amounts] | None = None,
    runners: Mapping[str, int] = MappingProxyType({}),
) -> tuple[Manifest, ...]:
    """Every object that the Workspace wants to have on that plan, in the order in which to apply them.

    The namespaces come first, and members get into a namespace when all that limits them is in place. ``inventory``
    tells of namespaces that are there already, ``hard`` gives the limits by namespace where they cannot be all that is
    wanted yet, and ``runners`` the sizes of pools by namespace where they were decided. The same arguments give the
    same manifests, in which everything is written as the API server returns it. Raises ValueError where something
    cannot be built: not for objects in which `headgate.domain.problems` finds none.
    """
    inventory = inventory or take_stock(workspace, {})
    limits = hard if hard is not None else wanted_limits(workspace, workspace_totals(quota), inventory)
    places = [
        NamespaceContext(
            workspace=workspace,
            quota=quota,
            facts=context,
            namespace=name,
            hard=limits[name],
            runners=_runners(workspace, context, runners.get(name)) if name in inventory.wanted else None,
            adopted=name in inventory.adopted,
        )
        for name in (*inventory.wanted, *inventory.kept)
    ]
    return (
        *(namespace(place) for place in places),
        *(item for place in places for item in _inside(place)),
        *member_access(workspace, tuple(place.namespace for place in places)),
    )


def wanted_limits(workspace: Workspace, totals: Amounts, inventory: Inventory) -> dict[str, dict[str, Amount]]:
    """The part of the totals that each namespace is to have: its share, and nothing for those that are only kept."""
    parts = split(totals, {wanted.name: wanted.share for wanted in workspace.namespaces})
    return parts | {name: dict.fromkeys(totals, NOTHING) for name in inventory.kept}


def _runners(workspace: Workspace, context: ClusterFacts, decided: int | None) -> int | None:
    """The size of a namespace's pool within its bounds; None where there is none."""
    pool = workspace.spec.runners
    if context.runner_pods is None or not pool.max:
        return None
    return min(max(decided or 0, pool.min), pool.max)


def _inside(place: NamespaceContext) -> tuple[Manifest, ...]:
    return (
        *network_policies(place),
        resource_quota(place),
        limit_range(place),
        *service_accounts(place),
        *pool(place),
        *role_bindings(place),
    )
