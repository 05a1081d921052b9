"""All children of a Workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.desired.context import ClusterFacts, NamespaceContext
from headgate.desired.limits import limit_range, resource_quota, workspace_totals
from headgate.desired.namespace import namespace
from headgate.desired.network_policies import network_policies
from headgate.desired.role_bindings import role_bindings
from headgate.desired.service_accounts import service_accounts
from headgate.domain.shares import split

if TYPE_CHECKING:
    from headgate.api.quota import Quota
    from headgate.api.workspace import Workspace
    from headgate.desired.manifest import Manifest


def children(workspace: Workspace, quota: Quota, context: ClusterFacts) -> tuple[Manifest, ...]:
    """Every object that the Workspace wants to have on that plan, in the order in which to apply them.

    The namespaces come first, and members get into a namespace when all that limits them is in place. The same
    arguments give the same manifests, in which everything is written as the API server returns it. Raises ValueError
    where something cannot be built: not for objects in which `headgate.domain.problems` finds none.
    """
    hard = split(workspace_totals(quota), {wanted.name: wanted.share for wanted in workspace.namespaces})
    places = [
        NamespaceContext(workspace=workspace, quota=quota, facts=context, namespace=wanted.name, hard=hard[wanted.name])
        for wanted in workspace.namespaces
    ]
    return (*(namespace(place) for place in places), *(item for place in places for item in _inside(place)))


def _inside(place: NamespaceContext) -> tuple[Manifest, ...]:
    limits = limit_range(place)
    return (
        *network_policies(place),
        resource_quota(place),
        *(() if limits is None else (limits,)),
        *service_accounts(place),
        *role_bindings(place),
    )
