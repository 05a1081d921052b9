"""As much of an API server as the gateway asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from headgate.cluster.client import Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import PODS, WORKSPACES
from headgate.domain.runner_task import runner_job_name


class Pod:
    """A pod whose container writes what it is told to."""

    def __init__(self, labels: dict[str, str] | None = None) -> None:
        self.labels = labels or {}
        self.readings: list[str | None] = []
        """From when on each reading was asked for."""
        self.refusal: ApiError | None = None
        self._lines: list[tuple[datetime, bytes]] = []
        self._ended = False
        self._broken = 0
        self._changed = asyncio.Event()

    def write(self, *lines: bytes) -> None:
        """Lines that the container writes, each a millisecond after the one before."""
        for line in lines:
            self._lines.append((_BEGUN + timedelta(milliseconds=len(self._lines)), line))
        self._tell()

    def end(self) -> None:
        """The container ends."""
        self._ended = True
        self._tell()

    def break_off(self) -> None:
        """Connections that there are break."""
        self._broken += 1
        self._tell()

    async def read(self, since: str | None) -> AsyncGenerator[bytes]:
        """What the kubelet sends."""
        self.readings.append(since)
        if self.refusal is not None:
            raise self.refusal
        begin = datetime.fromisoformat(since) if since else _BEGUN
        broken, at = self._broken, 0
        while True:
            for when, line in self._lines[at:]:
                if when >= begin:
                    yield when.isoformat(timespec="microseconds").encode() + b" " + line
            at = len(self._lines)
            if self._broken > broken:
                raise Unreachable("the log of a pod could not be read")
            if self._ended:
                return
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


_BEGUN = datetime(2026, 11, 26, 10, tzinfo=UTC)


@dataclass
class ApiServer:
    """Knows tokens, namespaces and Workspaces."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    namespaces: dict[str, str] = field(default_factory=lambda: {"acme": "acme"})
    workspaces: dict[str, Object] = field(default_factory=dict)
    asked: int = 0
    listed: int = 0
    down: bool = False
    pods: dict[str, Pod] = field(default_factory=dict)
    knows_audiences: bool = True

    async def create(self, _resource: Any, manifest: Object) -> Object:
        self.asked += 1
        if self.down:
            raise Unreachable("down")
        status = self.users.get(manifest["spec"]["token"], {"authenticated": False})
        if not self.knows_audiences:
            return {"status": {name: value for name, value in status.items() if name != "audiences"}}
        audiences = [name for name in manifest["spec"]["audiences"] if name in status.get("audiences", ())]
        # As the API server does: a token that is good for other audiences only is not good.
        return {"status": {**status, "audiences": audiences} if audiences else {"authenticated": False}}

    async def get(self, resource: Any, name: str) -> Object:
        if self.down:
            raise Unreachable("down")
        if resource == WORKSPACES:
            if name not in self.workspaces:
                raise ApiError.of(404, {"reason": "NotFound"}, None)
            return self.workspaces[name]
        if name not in self.namespaces:
            raise ApiError.of(404, {"reason": "NotFound"}, None)
        labels = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": self.namespaces[name]}
        return {"metadata": {"name": name, "labels": labels}}

    async def list_pages(self, resource: Any, *, namespace: str = "", labels: str = "") -> AsyncIterator[Object]:
        self.listed += 1
        if self.down:
            raise Unreachable("down")
        if resource == PODS:
            wanted = dict(label.split("=") for label in labels.split(","))
            found = [name for name, pod in self.pods.items() if namespace == "acme" and pod.labels == wanted]
            yield {"metadata": {}, "items": [{"metadata": {"name": name}} for name in found]}
            return
        for item in tuple(self.workspaces.values()):
            yield {"metadata": {}, "items": [item]}

    async def log(
        self, namespace: str, pod: str, container: str, *, since: str | None, timestamps: bool, follow: bool
    ) -> AsyncGenerator[bytes]:
        assert (namespace, container, timestamps, follow) == ("acme", "main", True, True)
        if pod not in self.pods:
            raise ApiError.of(404, {"reason": "NotFound"}, None)
        async for piece in self.pods[pod].read(since):
            yield piece

    def knows(
        self,
        token: str,
        run: UUID,
        *,
        namespace: str = "acme",
        account: str = "headgate-run",
        uid: str = "uid-1",
        **status: Any,
    ) -> None:
        """A token of the pod of a run's runner Job."""
        extra = {
            "authentication.kubernetes.io/pod-name": [f"{runner_job_name('nightly', run, 1)}-abcde"],
            "authentication.kubernetes.io/pod-uid": [uid],
        }
        user = {"username": f"system:serviceaccount:{namespace}:{account}", "extra": extra}
        self.users[token] = {"authenticated": True, "audiences": ["headgate-runner"], "user": user, **status}

    def knows_user(self, token: str, username: str, *groups: str, audience: str = "headgate", **status: Any) -> None:
        """A token of somebody who is no runner."""
        user = {"username": username, "groups": list(groups)}
        self.users[token] = {"authenticated": True, "audiences": [audience], "user": user, **status}
