"""Who calls the API: the owner of an API key, or a member of a Workspace whom somebody else knows."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Protocol
from uuid import UUID

from headgate.api.members import Role
from headgate.api.scalars import SUBDOMAIN_PATTERN
from headgate.cluster.client import KubeClient
from headgate.cluster.errors import ApiError, Unreachable
from headgate.domain.api_keys import PREFIX, SCOPES, Scope, least_role
from headgate.domain.audit import Actor, ActorKind
from headgate.domain.membership import role_of
from headgate.engine.api_keys import ApiKeys, KeyIdentity
from headgate.engine.workspaces import Workspaces
from headgate.gateway.memberships import Memberships
from headgate.gateway.memory import Memory
from headgate.gateway.minute_counts import MinuteCounts
from headgate.gateway.problems import Problem
from headgate.gateway.strangers import Strangers
from headgate.gateway.token_review import TOKEN_BYTES, cannot_ask, review, unauthorized
from headgate.gateway.users import User

AUDIENCE = "headgate"
"""What a token for the API has to be made for: one for runners, or for the API server, is not good here."""
BELIEVED_SECONDS = 0.5
"""How long a key, and what a Workspace says of its members, is believed: revoking counts within a second everywhere."""
TOKEN_BELIEVED_SECONDS = 30.0
"""How long the API server's word on a token is believed. What its owner may do is not part of that word."""
KEY_SUBJECT = "apikey:"
"""Before the id of a key that acts. No user is called so."""
KEY_VIA = "API key"
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_NAME = re.compile(SUBDOMAIN_PATTERN)
_NAME_LENGTH = 253


@dataclass(frozen=True)
class Caller:
    """Somebody with a role in a workspace."""

    workspace_id: UUID
    workspace: str
    subject: str
    """A user as the API server names it, or ``apikey:`` and the id of a key: nobody can take the name of another."""
    role: Role
    scopes: frozenset[Scope]
    """What it may do."""
    expires_at: datetime | None = None
    """When the key ends by which it calls; None for a user."""
    via: str = KEY_VIA
    """How it is known that it is they."""

    @property
    def actor(self) -> Actor:
        """The caller in the audit log."""
        is_key = self.subject.startswith(KEY_SUBJECT)
        return Actor(ActorKind.API_KEY if is_key else ActorKind.USER, self.subject, self.via)

    def require(self, scope: Scope) -> None:
        """Raises ``Problem`` 403 where the caller may not do that."""
        if scope in self.scopes:
            return
        if scope in SCOPES[self.role]:
            detail = f"this takes the scope {scope}, which the API key was not given: use another one"
        else:
            detail = f"this takes the scope {scope}, which the role {least_role(scope)} has; yours is {self.role}"
        raise Problem(HTTPStatus.FORBIDDEN, detail)


class TokenUsers(Protocol):
    """Tells users by tokens that somebody else than the API server issued."""

    def issued(self, token: str) -> bool:
        """Whether the token says that it is of this issuer. It is not believed yet."""
        ...

    async def user(self, token: str) -> User | None:
        """Who the token is of, or None where it is not good. Raises ``Problem`` 503 where nobody can tell."""
        ...


@dataclass(frozen=True)
class Visitor:
    """Somebody who has named no workspace yet."""

    subject: str
    """As of a caller."""
    workspace_id: UUID | None
    """That of the key by which it calls; None for a user, who may have several."""
    roles: Mapping[str, Role]
    """By the workspaces, in the order of their names, in which they have one."""


class Callers:
    """Tells who calls. Costs one query for a key, each half second in which it is used at most."""

    def __init__(
        self,
        kube: KubeClient,
        api_keys: ApiKeys,
        workspaces: Workspaces,
        *,
        monotonic: Callable[[], float],
        oidc: TokenUsers | None = None,
        strangers: Strangers | None = None,
        visits: MinuteCounts | None = None,
    ) -> None:
        """``monotonic`` gives seconds. Without ``oidc`` the API server alone knows users.

        ``strangers`` bounds credentials that are not good, ``visits`` users who name no workspace that could count.
        """
        self._oidc = oidc
        self._strangers = strangers
        self._visits = visits
        self._kube = kube
        self._api_keys = api_keys
        self._keys = Memory[KeyIdentity](BELIEVED_SECONDS, monotonic)
        self._users = Memory[User](TOKEN_BELIEVED_SECONDS, monotonic)
        self._memberships = Memberships(kube, workspaces, monotonic=monotonic, believed_seconds=BELIEVED_SECONDS)

    async def caller(self, token: str | None, workspace: str, address: str | None = None) -> Caller:
        """Who calls with this bearer token, as what it is in the workspace.

        Without an address it is looked at however many came that were not good, and is none of them.

        Raises ``Problem``: 401 without a token that is good, 429 where too many came from there that were not, 503
        where nobody can tell, and 404 to anybody who is no member, which is the same whether there is such a workspace
        or not. Raises ``DatabaseUnavailable``.
        """
        try:
            match await self._identify(token, address):
                case KeyIdentity() as key:
                    return self._of_key(key, workspace)
                case user:
                    return await self._of_user(user, workspace)
        except (ApiError, Unreachable):
            raise cannot_ask() from None

    async def visitor(self, token: str | None, address: str | None = None) -> Visitor:
        """Who calls with this bearer token, and where they belong.

        Raises ``Problem`` like ``caller`` but 404, and 429 where a user has done so too often within a minute.
        """
        try:
            match await self._identify(token, address):
                case KeyIdentity() as key:
                    return Visitor(f"{KEY_SUBJECT}{key.key_id}", key.workspace_id, {key.workspace: key.role})
                case user:
                    self._visit(user)
                    roles = {
                        workspace: role
                        for workspace, members in (await self._memberships.all()).items()
                        if (role := role_of(members, user.name, user.groups)) is not None
                    }
                    return Visitor(user.name, None, dict(sorted(roles.items())))
        except (ApiError, Unreachable):
            raise cannot_ask() from None

    def _visit(self, user: User) -> None:
        if self._visits is None:
            return
        if (seconds := self._visits.wait(user.name)) > 0:
            raise _too_many_visits(math.ceil(seconds))
        self._visits.add(user.name)

    async def _identify(self, token: str | None, address: str | None) -> KeyIdentity | User:
        if not token or len(token) > TOKEN_BYTES:
            raise unauthorized("an API key or a token of a member is needed: Authorization: Bearer ...")
        fingerprint = hashlib.sha256(token.encode()).digest()
        if self._strangers is None or address is None:
            return await self._identified(token, fingerprint)
        if (seconds := self._strangers.wait(address, fingerprint)) > 0:
            raise _too_many_strangers(math.ceil(seconds))
        try:
            found = await self._identified(token, fingerprint)
        except Problem as problem:
            if problem.status is HTTPStatus.UNAUTHORIZED:
                self._strangers.failed(address)
            raise
        self._strangers.passed(fingerprint)
        return found

    async def _identified(self, token: str, fingerprint: bytes) -> KeyIdentity | User:
        if token.startswith(PREFIX):
            return await self._key(token, fingerprint)
        user = await self._user(token, fingerprint)
        if user.name.startswith(KEY_SUBJECT):
            raise unauthorized(f"a user whose name begins with {KEY_SUBJECT} cannot be told from a key")
        return user

    def _of_key(self, key: KeyIdentity, workspace: str) -> Caller:
        if key.workspace != workspace:
            raise unknown_workspace()
        return Caller(
            key.workspace_id, key.workspace, f"{KEY_SUBJECT}{key.key_id}", key.role, key.scopes, key.expires_at
        )

    async def _key(self, token: str, fingerprint: bytes) -> KeyIdentity:
        if (known := self._keys.recall(fingerprint)) is not None:
            return known
        asked = self._keys.asking()
        found = await self._api_keys.authenticate(token)
        if found is None:
            raise unauthorized("the API key is not good: mistyped, revoked or expired; ask an owner for a new one")
        self._keys.keep(fingerprint, found, asked)
        return found

    async def _of_user(self, user: User, workspace: str) -> Caller:
        # It becomes part of a path, and whoever asks for another one asks for what is not there.
        if len(workspace) > _NAME_LENGTH or not _NAME.fullmatch(workspace):
            raise unknown_workspace()
        known = await self._memberships.of(workspace)
        role = role_of(known.members, user.name, user.groups)
        if known.workspace_id is None or role is None:
            raise unknown_workspace()
        return Caller(known.workspace_id, workspace, user.name, role, SCOPES[role], via=user.via)

    async def _user(self, token: str, fingerprint: bytes) -> User:
        if self._oidc is not None and self._oidc.issued(token):
            # Verified each time, which costs no request: a token ends when it says.
            if (found := await self._oidc.user(token)) is None:
                raise unauthorized("the token of your identity provider is not good, or not any more")
            return found
        if (known := self._users.recall(fingerprint)) is not None:
            return known
        asked = self._users.asking()
        # The API server is asked about what may be a token only: its time is everybody's.
        user = await review(self._kube, token, AUDIENCE) if _JWT.fullmatch(token) else None
        if user is None or not user.get("username"):
            raise unauthorized(f"the token is not good, or not any more: it has to be made for the audience {AUDIENCE}")
        found = User(str(user["username"]), frozenset(map(str, user.get("groups") or ())))
        self._users.keep(fingerprint, found, asked)
        return found


def _too_many_visits(seconds: int) -> Problem:
    detail = f"you listed your workspaces too often within a minute: call again in {seconds} seconds"
    headers = {"Retry-After": str(seconds)}
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers, reason="CallerLimit")


def _too_many_strangers(seconds: int) -> Problem:
    detail = f"too many credentials that are not good came from your address: try again in {seconds} seconds"
    headers = {"Retry-After": str(seconds)}
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers, reason="CredentialLimit")


def unknown_workspace() -> Problem:
    """What is answered to whoever is no member, whatever is there."""
    return Problem(HTTPStatus.NOT_FOUND, "there is no such workspace, or you are no member of it")
