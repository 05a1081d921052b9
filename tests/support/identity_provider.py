"""An OpenID Connect provider that is asked over HTTP and signs whatever a test wants."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

ISSUER = "https://login.example.com/tenant"


@dataclass
class IdentityProvider:
    """Has one key, ``key-1``, until it is told otherwise."""

    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    asked: int = 0
    down: bool = False
    hanging: asyncio.Event | None = None
    """Where there is one, questions are not answered, and given up when it is set."""
    issuer: str = ISSUER
    jwks_uri: str = f"{ISSUER}/keys"
    more_keys: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rotate("key-1")

    def rotate(self, kid: str, *, keep: bool = False) -> None:
        """Sign with another key from now on, and show the former ones no more, or still."""
        self.keys = {**(self.keys if keep else {}), kid: ec.generate_private_key(ec.SECP256R1())}

    def client(self) -> httpx.AsyncClient:
        """Whoever asks by this asks the provider."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def token(self, now: datetime, *, kid: str | None = None, **claims: Any) -> str:
        """A token that is good for five minutes, unless it is said otherwise; None takes a claim out."""
        kid = kid or next(reversed(self.keys))
        usual = {"iss": ISSUER, "aud": "headgate", "sub": "alice", "exp": now + timedelta(minutes=5), "iat": now}
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(said, self.keys[kid], "ES256", {"kid": kid})

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.hanging is not None:
            self.asked += 1
            await self.hanging.wait()
            raise httpx.ReadTimeout("no answer")
        if self.down:
            raise httpx.ConnectError("down")
        if request.url.path.endswith("/.well-known/openid-configuration"):
            self.asked += 1
            return httpx.Response(200, json={"issuer": self.issuer, "jwks_uri": self.jwks_uri})
        shown = [
            {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}
            for kid, key in self.keys.items()
        ]
        return httpx.Response(200, json={"keys": [*self.more_keys, *shown]})
