"""Writing status and Events, only when something changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog

from headgate.api.base import Condition, ConditionStatus, Status
from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import EVENTS
from headgate.desired.keys import ApiResource
from headgate.desired.status import CIRCUIT_CLOSED, WITHIN_BUDGET, WITHIN_LIMITS
from headgate.domain.conditions import READY, find
from headgate.domain.reasons import Reason
from headgate.domain.run_status import ROOM

_DEFAULT_NAMESPACE = "default"
"""Where Kubernetes keeps Events about cluster-scoped objects."""


class StatusWriter:
    """Writes the status of Headgate's own kinds, and Events on transitions of the conditions that people act on."""

    def __init__(self, kube: KubeClient, cache: Cache, *, identity: str, wall: Callable[[], datetime]) -> None:
        self._kube = kube
        self._cache = cache
        self._identity = identity
        self._wall = wall
        self._log = structlog.get_logger("headgate.status")

    async def write(self, resource: ApiResource, live: Object, status: Status) -> bool:
        """Make the object's status ``status``: one request, or none where it is so already. Whether one was made.

        An object that was deleted meanwhile is left at that. Raises ``ApiError`` where it changed meanwhile, for it may
        be another one of that name by now. Its uid would be no safeguard: a patch of a status ignores it.
        """
        before: Mapping[str, Any] = live.get("status") or {}
        patch = difference(before, status.to_wire())
        if not patch:
            return False
        metadata = live["metadata"]
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "status": patch}
        try:
            written = await self._kube.merge_patch(
                resource, metadata["name"], metadata.get("namespace", ""), body, subresource="status"
            )
        except ApiError as error:
            if error.is_not_found:
                return False
            raise
        self._cache.upsert(resource, written)
        for event in transitions(before, status):
            await self._emit(resource, live, *event)
        return True

    async def _emit(self, resource: ApiResource, live: Object, kind: str, reason: str, message: str) -> None:
        metadata = live["metadata"]
        namespace = metadata.get("namespace") or _DEFAULT_NAMESPACE
        now = self._wall().astimezone(UTC)
        event = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": f"{metadata['name'][:200].rstrip('-.')}.{uuid4().hex[:16]}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "name": metadata["name"],
                "namespace": metadata.get("namespace", ""),
                "uid": metadata["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": "headgate"},
            "reportingComponent": "headgate.dev/operator",
            "reportingInstance": self._identity,
            "action": "Reconcile",
            "firstTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lastTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "count": 1,
        }
        try:
            await self._kube.create(EVENTS, event)
        except (ApiError, Unreachable) as error:
            self._log.warning("could not write an Event", object=metadata["name"], error=str(error))


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Object:
    """The JSON merge patch (RFC 7386) that makes ``after`` of ``before``, lists replaced whole. Empty where equal.

    ``after`` must hold no null: such a patch cannot say one.
    """
    patch: Object = {key: None for key in before if key not in after}
    for key, value in after.items():
        former = before.get(key)
        if isinstance(value, Mapping) and isinstance(former, Mapping):
            if changes := difference(former, value):
                patch[key] = changes
        elif key not in before or former != value:
            patch[key] = value
    return patch


TOLD = (READY, CIRCUIT_CLOSED, WITHIN_LIMITS)
"""Conditions of which people are told by Events when they become false, for another reason too, and true again."""


def transitions(before: Mapping[str, Any], after: Status) -> list[tuple[str, str, str]]:
    """The Events (type, reason, message) that changes of conditions deserve: on trouble, other trouble, recovery.

    That a run waits for room is no trouble: the status says so, and a queue of thousands would write two for each.
    """
    old = {condition.get("type"): condition for condition in before.get("conditions") or ()}
    found = [(find(after.conditions, kind), old.get(kind) or {}) for kind in TOLD]
    events = [_transition(former, now) for now, former in found if now is not None]
    budget = find(after.conditions, WITHIN_BUDGET)
    if budget is not None:
        events.append(_of_budget(old.get(WITHIN_BUDGET) or {}, budget))
    return [event for event in events if event is not None]


def _of_budget(former: Mapping[str, Any], now: Condition) -> tuple[str, str, str] | None:
    """That it comes near, that it is spent, and that there is more of it again: a new month, or another amount."""
    was = former.get("reason", Reason.WITHIN_BUDGET)
    if was == now.reason:
        return None
    better = now.reason == Reason.WITHIN_BUDGET or was == Reason.BUDGET_EXCEEDED
    return "Normal" if better else "Warning", now.reason, now.message


def _transition(former: Mapping[str, Any], now: Condition) -> tuple[str, str, str] | None:
    was_false = former.get("status") == ConditionStatus.FALSE and former.get("reason") not in ROOM
    if now.reason in ROOM:
        return None
    if now.status is ConditionStatus.FALSE and not (was_false and former.get("reason") == now.reason):
        return "Warning", now.reason, now.message
    if now.status is ConditionStatus.TRUE and was_false:
        return "Normal", now.reason, now.message
    return None
