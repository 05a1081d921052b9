"""Who a runner is: told by the API server about its token, and never by the runner itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from headgate.cluster.client import KubeClient
from headgate.cluster.errors import ApiError, Unreachable
from headgate.desired.keys import NAMESPACE
from headgate.desired.manifest import owner_of
from headgate.desired.service_accounts import RUN_SERVICE_ACCOUNT
from headgate.domain.runner_task import AUDIENCE, is_pool_runner, is_runner_of
from headgate.engine.workspaces import Workspaces
from headgate.gateway.memory import Memory
from headgate.gateway.problems import Problem
from headgate.gateway.token_review import TOKEN_BYTES, cannot_ask, review, unauthorized

REMEMBERED_SECONDS = 30.0
"""How long an identity is believed without asking again: so long a deleted pod's token may still be good."""
_PREFIX = "system:serviceaccount:"
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"


@dataclass(frozen=True)
class Runner:
    """A pod that may execute the built-in nodes of a namespace."""

    workspace_id: UUID
    workspace: str
    namespace: str
    pod: str
    uid: str

    @property
    def holder(self) -> str:
        """What it is called in the queue: nobody else's name, and never to be used again."""
        return f"{self.pod}/{self.uid}"


class Authenticator:
    """Asks the API server about tokens, and remembers its answers for a moment."""

    def __init__(self, kube: KubeClient, workspaces: Workspaces, *, monotonic: Callable[[], float]) -> None:
        self._kube = kube
        self._workspaces = workspaces
        self._known = Memory[Runner](REMEMBERED_SECONDS, monotonic)

    async def runner(self, authorization: str) -> Runner:
        """The runner whose Authorization header this is. Raises ``Problem``: 401, 403, or 503 where nobody can tell."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > TOKEN_BYTES:
            raise unauthorized("a token of the runner's service account is needed")
        fingerprint = hashlib.sha256(token.encode()).digest()
        if (known := self._known.recall(fingerprint)) is not None:
            return known
        asked = self._known.asking()
        try:
            found = await self._identify(token)
        except (ApiError, Unreachable):
            raise cannot_ask() from None
        self._known.keep(fingerprint, found, asked)
        return found

    async def _identify(self, token: str) -> Runner:
        namespace, pod, uid = _pod_of(await review(self._kube, token, AUDIENCE))
        return await self._in_workspace(namespace, pod, uid)

    async def _in_workspace(self, namespace: str, pod: str, uid: str) -> Runner:
        try:
            live = await self._kube.get(NAMESPACE, namespace)
        except ApiError as error:
            if not error.is_not_found:
                raise
            live = {}
        workspace = owner_of(live)
        workspace_id = await self._workspaces.id_of(workspace) if workspace else None
        if workspace is None or workspace_id is None:
            raise Problem(HTTPStatus.FORBIDDEN, f"namespace {namespace} belongs to no workspace")
        return Runner(workspace_id, workspace, namespace, pod, uid)


def _pod_of(user: Mapping[str, Any] | None) -> tuple[str, str, str]:
    """Namespace, name and uid of the pod that the token was made for."""
    if user is None:
        raise unauthorized("the token is not good for runners, or not any more")
    username = str(user.get("username", ""))
    namespace, _, account = username.removeprefix(_PREFIX).partition(":")
    if not username.startswith(_PREFIX) or account != RUN_SERVICE_ACCOUNT:
        raise Problem(HTTPStatus.FORBIDDEN, f"only pods of the service account {RUN_SERVICE_ACCOUNT} are runners")
    extra = user.get("extra") or {}
    pod, uid = (str((extra.get(name) or [""])[0]) for name in (_POD_NAME, _POD_UID))
    if not namespace or not pod or not uid:
        raise Problem(HTTPStatus.FORBIDDEN, "the token is not bound to a pod")
    return namespace, pod, uid


def check_runner(caller: Runner, run_id: UUID) -> None:
    """Raises ``Problem`` for a pod that is no runner of that run: 403."""
    if not (is_pool_runner(caller.pod) or is_runner_of(caller.pod, run_id)):
        raise Problem(HTTPStatus.FORBIDDEN, f"pod {caller.pod} is no runner of that run")
