"""All children of a Workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.desired.context import ClusterFacts, NamespaceContext
from headgate.desired.namespace import namespace

if TYPE_CHECKING:
    from headgate.api.quota import Quota
    from headgate.api.workspace import Workspace
    from headgate.desired.manifest import Manifest


def children(workspace: Workspace, quota: Quota, context: ClusterFacts) -> tuple[Manifest, ...]:
    """Every object that the Workspace wants to have on that plan, in the order in which to apply them.

    The namespaces come first. The same arguments give the same manifests, in which everything is written as the API
    server returns it.
    """
    places = [
        NamespaceContext(workspace=workspace, quota=quota, facts=context, namespace=wanted.name)
        for wanted in workspace.namespaces
    ]
    return tuple(namespace(place) for place in places)
