"""The public keys of an OpenID Connect provider, which it changes when it likes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import jwt

from headgate.dependencies import DependencyGuard
from headgate.domain.dependency_breaker import DependencyName, Patience

FRESH_SECONDS = 300.0
"""How long keys are believed before they are fetched again: so long one that was withdrawn may still be good."""
STALE_SECONDS = 3600.0
"""How long they are believed while the provider cannot be asked."""
AGAIN_SECONDS = 10.0
"""Between two requests at least, whatever keys tokens name."""
PATIENCE = Patience(failures=1, cool_down=AGAIN_SECONDS)
_BYTES = 1_048_576
_DISCOVERY = "/.well-known/openid-configuration"


class KeysUnavailable(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The provider cannot be asked for its keys right now."""


class KeySet:
    """Keys by their ids. An unknown one is looked for at once, which is how a new key becomes known."""

    def __init__(
        self,
        issuer: str,
        http: httpx.AsyncClient,
        *,
        monotonic: Callable[[], float],
        guard: DependencyGuard | None = None,
    ) -> None:
        """``monotonic`` gives seconds. ``http`` has to give up by itself, and to follow no redirect."""
        self._issuer = issuer
        self._http = http
        self._monotonic = monotonic
        self._guard = guard or DependencyGuard(DependencyName.IDENTITY_PROVIDER, monotonic=monotonic, patience=PATIENCE)
        self._keys: Mapping[str | None, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def key(self, kid: str | None) -> jwt.PyJWK | None:
        """The key of that id, or None where the provider has none. Raises ``KeysUnavailable``.

        While the provider is away nobody waits for it but the one who needs a key that is not known, and tries first.
        """
        if kid not in self._keys or self._age(self._fetched) >= FRESH_SECONDS:
            waits = self._guard.there
            if self._is_due():
                waits = waits or not self._is_known(kid)
                self._refreshing = asyncio.create_task(self._refresh(), name="keys of the identity provider")
            if waits and self._refreshing is not None:
                # One asks, and the others look at what came of it.
                await asyncio.shield(self._refreshing)
        if self._is_known(kid):
            return self._keys[kid]
        if self._age(self._fetched) >= STALE_SECONDS or not self._guard.there:
            raise KeysUnavailable
        return None

    def _is_known(self, kid: str | None) -> bool:
        return kid in self._keys and self._age(self._fetched) < STALE_SECONDS

    def _is_due(self) -> bool:
        idle = self._refreshing is None or self._refreshing.done()
        return idle and self._age(self._tried) >= AGAIN_SECONDS and self._guard.asks

    def _age(self, moment: float | None) -> float:
        return float("inf") if moment is None else self._monotonic() - moment

    async def _refresh(self) -> None:
        self._tried = asked = self._monotonic()
        try:
            with self._guard.asking(_unanswered):
                found = await self._fetch()
        except Exception:
            # Told by the guard. What is known counts on, until it is stale.
            return
        self._keys, self._fetched = found, asked

    async def _fetch(self) -> Mapping[str | None, jwt.PyJWK]:
        described = await self._get(self._issuer.rstrip("/") + _DISCOVERY)
        address = described.get("jwks_uri")
        if (
            described.get("issuer") != self._issuer
            or not isinstance(address, str)
            or not address.startswith("https://")
        ):
            raise ValueError("the provider describes another issuer, or gives no https address of its keys")
        known = jwt.PyJWKSet.from_dict(await self._get(address))
        return {key.key_id: key for key in known.keys if key.public_key_use in (None, "sig")}

    async def _get(self, address: str) -> dict[str, Any]:
        answer = await self._http.get(address, headers={"Accept": "application/json"})
        answer.raise_for_status()
        if len(answer.content) > _BYTES:
            raise ValueError("the provider's answer is too long")
        body = answer.json()
        if not isinstance(body, dict):
            raise ValueError("the provider's answer is no object")  # noqa: TRY004 - as any other answer of no use
        return body


def _unanswered(error: Exception) -> str:
    """Whatever is no list of keys is of as little use as silence: what tokens say has no part in it."""
    return f"no keys of the identity provider: {type(error).__name__}"
