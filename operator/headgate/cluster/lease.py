"""Leader election by a Lease, after the rules of client-go's leaderelection package.

A lease is judged by how long ago *we* saw it change, never by the holder's clock. Losing it is final: the process must
end, because another one may lead by now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import LEASES


@dataclass(frozen=True)
class LeaseSettings:
    """Which lease, held as whom, and for how long."""

    name: str
    namespace: str
    identity: str
    duration_seconds: float = 15.0
    """How long others wait after the last renewal that they saw."""

    @property
    def renew_deadline_seconds(self) -> float:
        """After how long without a renewal the holder gives up: before others take over."""
        return self.duration_seconds * 2 / 3

    @property
    def attempt_seconds(self) -> float:
        """How long a renewal may take: a request that got lost leaves time for another one."""
        return self.renew_deadline_seconds / 2

    @property
    def retry_seconds(self) -> float:
        """Between attempts to renew or acquire."""
        return self.duration_seconds / 7.5


@dataclass(frozen=True)
class Observation:
    """A lease as it was first seen in its present form."""

    holder: str
    renewed: str
    since: float


class LostLeadership(Exception):  # noqa: N818 - reads as what it says
    """The lease could not be renewed in time, or is another's."""


def may_take(seen: Observation | None, *, identity: str, now: float, duration: float) -> bool:
    """Whether a lease seen so may be taken: it is free, ours, or was not renewed for ``duration`` seconds."""
    return seen is None or not seen.holder or seen.holder == identity or now - seen.since > duration


class Leadership:
    """Acquires and keeps one lease."""

    def __init__(
        self, kube: KubeClient, settings: LeaseSettings, *, monotonic: Callable[[], float], wall: Callable[[], datetime]
    ) -> None:
        self._kube = kube
        self._settings = settings
        self._monotonic = monotonic
        self._wall = wall
        self._seen: Observation | None = None
        self._renewed = float("-inf")
        self._log = structlog.get_logger("headgate.lease")

    async def acquire(self) -> None:
        """Wait until the lease is ours."""
        told = self._settings.identity
        while not await self._try():
            if self._seen is not None and self._seen.holder != told:
                told = self._seen.holder
                self._log.info("another one leads", lease=self._settings.name, holder=told)
            await asyncio.sleep(self._settings.retry_seconds)
        self._log.info("leading", lease=self._settings.name, identity=self._settings.identity)

    async def keep(self) -> None:
        """Renew for ever. Raises ``LostLeadership`` when that fails for too long, or another holds the lease."""
        while True:
            await asyncio.sleep(self._settings.retry_seconds)
            ends = self._renewed + self._settings.renew_deadline_seconds
            try:
                async with asyncio.timeout(max(min(ends - self._monotonic(), self._settings.attempt_seconds), 0)):
                    if await self._try():
                        continue
            except TimeoutError:
                self._log.warning("the lease was not renewed in time; trying again")
            if self._monotonic() >= ends or (self._seen is not None and self._seen.holder != self._settings.identity):
                raise LostLeadership(f"lease {self._settings.name} could not be renewed")

    async def release(self) -> None:
        """Give the lease up, so that another need not wait. Best effort."""
        for last in (False, False, True):
            try:
                lease = await self._kube.get(LEASES, self._settings.name, self._settings.namespace)
                spec = lease.get("spec") or {}
                if spec.get("holderIdentity") == self._settings.identity:
                    await self._kube.replace(LEASES, {**lease, "spec": {**spec, "holderIdentity": ""}})
            except (ApiError, Unreachable) as error:
                # A renewal whose answer we did not wait for may be carried out in between.
                if isinstance(error, ApiError) and error.is_conflict and not last:
                    continue
                self._log.warning("could not release the lease", error=str(error))
            return

    async def _try(self) -> bool:
        # Others may see the renewal long before its answer comes: it counts from before it was asked for.
        began = self._monotonic()
        try:
            lease = await self._read()
            if lease is None:
                await self._kube.create(LEASES, self._manifest({}))
                self._renewed = began
                return True
            spec = lease.get("spec") or {}
            self._observe(spec)
            if not may_take(
                self._seen,
                identity=self._settings.identity,
                now=self._monotonic(),
                duration=self._settings.duration_seconds,
            ):
                return False
            written = await self._kube.replace(LEASES, {**lease, "spec": self._spec(spec)})
            self._observe(written["spec"])
            self._renewed = began
        except (ApiError, Unreachable) as error:
            self._log.warning("could not write the lease", error=str(error))
            return False
        return True

    async def _read(self) -> Object | None:
        try:
            return await self._kube.get(LEASES, self._settings.name, self._settings.namespace)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    def _observe(self, spec: Mapping[str, Any]) -> None:
        holder, renewed = spec.get("holderIdentity") or "", spec.get("renewTime") or ""
        if self._seen is None or (self._seen.holder, self._seen.renewed) != (holder, renewed):
            self._seen = Observation(holder, renewed, self._monotonic())

    def _manifest(self, spec: Mapping[str, Any]) -> Object:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._settings.name, "namespace": self._settings.namespace},
            "spec": self._spec(spec),
        }

    def _spec(self, before: Mapping[str, Any]) -> Object:
        now = self._wall().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = before.get("holderIdentity") == self._settings.identity
        return {
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": max(1, round(self._settings.duration_seconds)),
            "acquireTime": before.get("acquireTime", now) if ours else now,
            "renewTime": now,
            "leaseTransitions": before.get("leaseTransitions", 0) + (0 if ours else 1),
        }
