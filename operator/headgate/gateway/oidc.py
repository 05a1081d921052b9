"""Users whom an OpenID Connect provider knows: told by the tokens that it signs for Headgate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import jwt

from headgate.gateway.jwks import AGAIN_SECONDS, KeySet, KeysUnavailable
from headgate.gateway.problems import Problem
from headgate.gateway.users import User

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those with a public key. With any other, what everybody may read would be enough to sign."""
LEEWAY = timedelta(seconds=30)
"""How far clocks may differ."""
_RESERVED = "system:"
_NAME_LENGTH = 253


@dataclass(frozen=True)
class OidcProvider:
    """Whose tokens are good, and what in them is a name."""

    issuer: str
    """As in the claim ``iss``: an https URL."""
    audience: str
    """What has to be in the claim ``aud``."""
    username_claim: str = "sub"
    groups_claim: str = "groups"
    username_prefix: str = ""
    """Goes before every name, so that nobody has one of another provider."""
    groups_prefix: str = ""


class OidcUsers:
    """Tells who a token is of. Costs no request as long as the provider's keys are known."""

    def __init__(self, provider: OidcProvider, keys: KeySet, *, wall: Callable[[], datetime]) -> None:
        """``wall`` gives the time with its zone."""
        self._provider = provider
        self._keys = keys
        self._wall = wall

    def issued(self, token: str) -> bool:
        """Whether the token says that it is of this provider. It is not believed yet."""
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return False
        return claims.get("iss") == self._provider.issuer

    async def user(self, token: str) -> User | None:
        """Who the token is of, or None where it is not good. Raises ``Problem`` 503 where its keys cannot be had."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self._keys.key(header.get("kid"))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._provider.audience,
                issuer=self._provider.issuer,
                # By the clock that is given, as everything else here.
                options={
                    "require": ["exp", "iss", "aud"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError:
            return None
        except KeysUnavailable:
            detail = "the identity provider cannot be asked for its keys right now"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(round(AGAIN_SECONDS))}) from None
        return self._named(claims) if self._is_of_now(claims) else None

    def _is_of_now(self, claims: Mapping[str, Any]) -> bool:
        now, leeway = self._wall().timestamp(), LEEWAY.total_seconds()
        ends, begins = claims["exp"], claims.get("nbf", 0)
        if not all(isinstance(moment, int | float) and not isinstance(moment, bool) for moment in (ends, begins)):
            return False
        return bool(begins - leeway <= now < ends + leeway)

    def _named(self, claims: Mapping[str, Any]) -> User | None:
        provider = self._provider
        name = claims.get(provider.username_claim)
        if not isinstance(name, str) or not name:
            return None
        # Whoever may write any address into their profile would be anybody.
        if provider.username_claim == "email" and claims.get("email_verified") is not True:
            return None
        name = provider.username_prefix + name
        # Such names are the cluster's own, service accounts' among them.
        if name.startswith(_RESERVED) or len(name) > _NAME_LENGTH:
            return None
        said = claims.get(provider.groups_claim) or ()
        groups = (said,) if isinstance(said, str) else said if isinstance(said, list) else ()
        named = (provider.groups_prefix + group for group in groups if isinstance(group, str) and group)
        return User(name, frozenset(group for group in named if not group.startswith(_RESERVED)), "OpenID Connect")
