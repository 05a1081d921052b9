"""As much of an API server as the gateway asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from headgate.cluster.client import Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.domain.runner_task import runner_job_name


@dataclass
class ApiServer:
    """Knows tokens and namespaces."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    namespaces: dict[str, str] = field(default_factory=lambda: {"acme": "acme"})
    asked: int = 0
    down: bool = False

    async def create(self, _resource: Any, manifest: Object) -> Object:
        self.asked += 1
        if self.down:
            raise Unreachable("down")
        assert manifest["spec"]["audiences"] == ["headgate-runner"]
        return {"status": self.users.get(manifest["spec"]["token"], {"authenticated": False})}

    async def get(self, _resource: Any, name: str) -> Object:
        if name not in self.namespaces:
            raise ApiError.of(404, {"reason": "NotFound"}, None)
        labels = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": self.namespaces[name]}
        return {"metadata": {"name": name, "labels": labels}}

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
