"""As much of an API server as the gateway asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from headgate.cluster.client import Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import WORKSPACES
from headgate.domain.runner_task import runner_job_name


@dataclass
class ApiServer:
    """Knows tokens, namespaces and Workspaces."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    namespaces: dict[str, str] = field(default_factory=lambda: {"acme": "acme"})
    workspaces: dict[str, Object] = field(default_factory=dict)
    asked: int = 0
    listed: int = 0
    down: bool = False
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

    async def list_pages(self, _resource: Any) -> AsyncIterator[Object]:
        self.listed += 1
        if self.down:
            raise Unreachable("down")
        for item in tuple(self.workspaces.values()):
            yield {"metadata": {}, "items": [item]}

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
