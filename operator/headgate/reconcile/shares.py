"""Decides which limits a workspace's namespaces may have now, and lowers before anything is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from headgate.api.quota import Quota, Sharing
from headgate.api.workspace import Workspace
from headgate.cluster.cache import Cache
from headgate.cluster.resources import WORKSPACES
from headgate.desired.allotment import Allotment, Amounts, Standing, allot, lowering
from headgate.desired.context import ClusterFacts, NamespaceContext
from headgate.desired.inventory import Inventory
from headgate.desired.keys import RESOURCE_QUOTA
from headgate.desired.limits import QUOTA_NAME, resource_quota, workspace_totals
from headgate.desired.manifest import Manifest
from headgate.desired.workspace import wanted_limits
from headgate.domain.amounts import Amount
from headgate.domain.shares import part_of
from headgate.reconcile.children import Children
from headgate.reconcile.keys import Key


@dataclass(frozen=True)
class Division:
    """What a workspace gets of its plan."""

    totals: Amounts
    """All of the plan, or its part of a shared one."""
    allotment: Allotment
    """What its namespaces may have of that now."""


class Shares:
    """Knows what every namespace holds, also what was promised to it a moment ago and is on its way.

    Of a plan that workspaces share, one workspace's limits depend on what the others hold. All is decided between two
    awaits, so that no two decisions give the same away.
    """

    def __init__(self, cache: Cache, children: Children, *, users_of: Callable[[str], tuple[Key, ...]]) -> None:
        """``users_of`` gives the keys of the Workspaces on a Quota."""
        self._cache = cache
        self._children = children
        self._users_of = users_of
        self._promised: dict[str, Mapping[str, Amounts]] = {}

    async def divide(self, workspace: Workspace, quota: Quota, inventory: Inventory, facts: ClusterFacts) -> Division:
        """Limits for the workspace's namespaces, once those that have to come down have. Raises what requests do."""
        name, shared = workspace.metadata.name, quota.spec.sharing is Sharing.SHARED
        totals = workspace_totals(quota)
        mine = part_of(totals, self._weights(quota.metadata.name), name) if shared else totals
        wanted = wanted_limits(workspace, mine, inventory)
        if lowered := lowering(wanted, self._standing(wanted)):
            await self._children.lower(self._quotas(workspace, quota, facts, lowered))
        others = tuple(self._others(quota.metadata.name, name)) if shared else ()
        allotment = allot(totals if shared else mine, wanted, self._standing(wanted), others)
        if shared:
            self._promised[name] = allotment.hard
        return Division(mine, allotment)

    def settled(self, workspace: str) -> None:
        """What was promised to the workspace is in place, and seen in the cache."""
        self._promised.pop(workspace, None)

    def used(self, namespaces: tuple[str, ...]) -> tuple[Amounts, ...]:
        """What each of the namespaces uses."""
        return tuple(standing.used for standing in self._standing(namespaces).values())

    def _standing(self, namespaces: Mapping[str, object] | tuple[str, ...]) -> dict[str, Standing]:
        found: dict[str, Standing] = {}
        for namespace in namespaces:
            key = RESOURCE_QUOTA.key(QUOTA_NAME, namespace)
            live = self._cache.get(key)
            if live is not None:
                found[namespace] = Standing(_amounts(live["spec"].get("hard") or {}), _amounts(self._cache.used(key)))
        return found

    def _weights(self, quota: str) -> dict[str, int | None]:
        """The shares of all Workspaces on the Quota, by name."""
        shares: dict[str, int | None] = {}
        for key in sorted(self._users_of(quota), key=lambda user: user.name):
            live = self._cache.get(WORKSPACES.key(key.name))
            if live is not None and not live["metadata"].get("deletionTimestamp"):
                shares[key.name] = live["spec"]["quotaRef"].get("share")
        return shares

    def _others(self, quota: str, workspace: str) -> Iterator[Standing]:
        """What the namespaces of the other workspaces hold, or have been promised."""
        for key in self._users_of(quota):
            if key.name == workspace:
                continue
            promised = self._promised.get(key.name, {})
            owned = {item.namespace for item, _ in self._cache.children(key.name) if item.kind == RESOURCE_QUOTA.kind}
            standing = self._standing(tuple(owned))
            for namespace in {*owned, *promised}:
                now = standing.get(namespace, Standing())
                yield Standing(_greater(now.hard, promised.get(namespace, {})), now.used)

    def _quotas(
        self, workspace: Workspace, quota: Quota, facts: ClusterFacts, hard: Mapping[str, Amounts]
    ) -> tuple[Manifest, ...]:
        return tuple(
            resource_quota(
                NamespaceContext(workspace=workspace, quota=quota, facts=facts, namespace=namespace, hard=amounts)
            )
            for namespace, amounts in hard.items()
        )


def _amounts(texts: Mapping[str, str]) -> dict[str, Amount]:
    return {name: Amount.parse(str(text)) for name, text in texts.items()}


def _greater(left: Amounts, right: Amounts) -> dict[str, Amount]:
    return {name: max(amounts[name] for amounts in (left, right) if name in amounts) for name in {*left, *right}}
