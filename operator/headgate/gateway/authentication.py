"""Who a runner is: told by the API server about its token, and never by the runner itself."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from headgate.cluster.client import KubeClient
from headgate.cluster.errors import ApiError, Unreachable
from headgate.desired.keys import NAMESPACE, ApiResource
from headgate.desired.manifest import owner_of
from headgate.desired.service_accounts import RUN_SERVICE_ACCOUNT
from headgate.domain.runner_task import AUDIENCE
from headgate.engine.engine import Engine
from headgate.gateway.problems import RETRY_SECONDS, Problem

TOKEN_REVIEWS = ApiResource("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", namespaced=False)
REMEMBERED_SECONDS = 30.0
"""How long an identity is believed without asking again: so long a deleted pod's token may still be good."""
_REMEMBERED = 4096
_TOKEN_BYTES = 16_384
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

    def __init__(self, kube: KubeClient, engine: Engine, *, monotonic: Callable[[], float]) -> None:
        self._kube = kube
        self._engine = engine
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[float, Runner]] = OrderedDict()

    async def runner(self, authorization: str) -> Runner:
        """The runner whose Authorization header this is. Raises ``Problem``: 401, 403, or 503 where nobody can tell."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > _TOKEN_BYTES:
            raise _unauthorized("a token of the runner's service account is needed")
        fingerprint = hashlib.sha256(token.encode()).digest()
        until, known = self._known.get(fingerprint, (0.0, None))
        if known is not None and self._monotonic() < until:
            return known
        try:
            found = await self._identify(token)
        except (ApiError, Unreachable):
            detail = "the API server cannot be asked about the token right now"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": RETRY_SECONDS}) from None
        self._known[fingerprint] = (self._monotonic() + REMEMBERED_SECONDS, found)
        self._known.move_to_end(fingerprint)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def _identify(self, token: str) -> Runner:
        review = await self._kube.create(
            TOKEN_REVIEWS,
            {
                "apiVersion": TOKEN_REVIEWS.api_version,
                "kind": TOKEN_REVIEWS.kind,
                "metadata": {},
                "spec": {"token": token, "audiences": [AUDIENCE]},
            },
        )
        namespace, pod, uid = _pod_of(review.get("status") or {})
        return await self._in_workspace(namespace, pod, uid)

    async def _in_workspace(self, namespace: str, pod: str, uid: str) -> Runner:
        try:
            live = await self._kube.get(NAMESPACE, namespace)
        except ApiError as error:
            if not error.is_not_found:
                raise
            live = {}
        workspace = owner_of(live)
        workspace_id = await self._engine.workspace_id(workspace) if workspace else None
        if workspace is None or workspace_id is None:
            raise Problem(HTTPStatus.FORBIDDEN, f"namespace {namespace} belongs to no workspace")
        return Runner(workspace_id, workspace, namespace, pod, uid)


def _pod_of(status: Mapping[str, Any]) -> tuple[str, str, str]:
    """Namespace, name and uid of the pod that the token was made for."""
    if not status.get("authenticated") or AUDIENCE not in (status.get("audiences") or ()):
        # A server that knows nothing of audiences would name none, and its word is worth nothing here.
        raise _unauthorized("the token is not good for runners, or not any more")
    user = status.get("user") or {}
    username = str(user.get("username", ""))
    namespace, _, account = username.removeprefix(_PREFIX).partition(":")
    if not username.startswith(_PREFIX) or account != RUN_SERVICE_ACCOUNT:
        raise Problem(HTTPStatus.FORBIDDEN, f"only pods of the service account {RUN_SERVICE_ACCOUNT} are runners")
    extra = user.get("extra") or {}
    pod, uid = (str((extra.get(name) or [""])[0]) for name in (_POD_NAME, _POD_UID))
    if not namespace or not pod or not uid:
        raise Problem(HTTPStatus.FORBIDDEN, "the token is not bound to a pod")
    return namespace, pod, uid


def _unauthorized(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})
