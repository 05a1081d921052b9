from __future__ import annotations

import asyncio
import base64
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from headgate.gateway.jwks import AGAIN_SECONDS, FRESH_SECONDS, STALE_SECONDS, KeySet
from headgate.gateway.oidc import LEEWAY, OidcProvider, OidcUsers
from headgate.gateway.problems import Problem
from headgate.gateway.users import User
from tests.support.identity_provider import ISSUER, IdentityProvider
from tests.support.waiting import eventually

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
PROVIDER = OidcProvider(ISSUER, "headgate")


class World:
    """A provider, and who listens to it at a time that is set by hand."""

    def __init__(self) -> None:
        self.provider = IdentityProvider()
        self.now, self.seconds = NOON, 0.0
        self.keys = KeySet(ISSUER, self.provider.client(), monotonic=lambda: self.seconds)
        self.users = self.trusting(PROVIDER)

    def trusting(self, provider: OidcProvider) -> OidcUsers:
        return OidcUsers(provider, self.keys, wall=lambda: self.now)

    async def is_asked(self, times: int) -> None:
        """Let others go on until the provider was asked so often."""

        async def asked() -> bool:
            return self.provider.asked == times

        await eventually(asked, every=0, what=f"question {times}")

    async def user(self, **claims: Any) -> User | None:
        return await self.users.user(self.provider.token(NOON, **claims))


def signed_by_hand(claims: dict[str, Any], secret: bytes) -> str:
    """As the library refuses to do it: a public key taken for a shared secret."""
    body = jwt.encode(claims, "k" * 32, "HS256", {"kid": "key-1"}).rpartition(".")[0]
    signature = hmac.digest(secret, body.encode(), "sha256")
    return f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


@pytest.fixture
def world() -> World:
    return World()


class TestTokens:
    async def test_a_good_one_tells_a_name_and_groups(self, world: World) -> None:
        assert await world.user(groups=["staff", "leads"]) == User("alice", frozenset({"staff", "leads"}))
        assert await world.user(aud=["other", "headgate"]) == User("alice")
        assert await world.user(groups="staff") == User("alice", frozenset({"staff"}))

    @pytest.mark.parametrize(
        "claims",
        [
            {"aud": "other"},
            {"aud": None},
            {"iss": "https://evil.example.com"},
            {"iss": None},
            {"exp": None},
            {"exp": NOON - LEEWAY},
            {"exp": "tomorrow"},
            {"nbf": NOON + LEEWAY + timedelta(seconds=1)},
            {"nbf": "x"},
            {"sub": None},
            {"sub": ""},
            {"sub": "x" * 254},
            {"sub": "system:serviceaccount:acme:ci"},
            {"sub": "system:admin"},
        ],
    )
    async def test_one_of_another_of_another_time_or_without_a_name_is_not_good(
        self, world: World, claims: dict[str, Any]
    ) -> None:
        assert await world.user(**claims) is None

    async def test_it_ends_when_it_says(self, world: World) -> None:
        token = world.provider.token(NOON)
        world.now = NOON + timedelta(minutes=5) + LEEWAY - timedelta(seconds=1)
        assert await world.users.user(token) is not None
        world.now += timedelta(seconds=1)
        assert await world.users.user(token) is None

    async def test_one_that_was_changed_or_signed_by_another_is_not_good(self, world: World) -> None:
        header, body, signature = world.provider.token(NOON).split(".")
        other = IdentityProvider().token(NOON)
        mallory = base64.urlsafe_b64encode(base64.urlsafe_b64decode(body + "==").replace(b"alice", b"malla")).decode()

        for forged in (
            other,
            f"{header}.{mallory.rstrip('=')}.{signature}",
            f"{header}.{body}.",
            f"{header}.{body}.AAAA",
        ):
            assert await world.users.user(forged) is None

    async def test_what_everybody_may_read_signs_nothing(self, world: World) -> None:
        public = world.provider.keys["key-1"].public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        claims = {"iss": ISSUER, "aud": "headgate", "sub": "alice", "exp": NOON + timedelta(minutes=5)}
        world.provider.more_keys = [{"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(b"k" * 32).decode()}]

        for token in (
            signed_by_hand(claims, pem),
            jwt.encode(claims, "k" * 32, "HS256", {"kid": "shared"}),
            jwt.encode(claims, "", "none", {"kid": "key-1"}),
        ):
            assert await world.users.user(token) is None

    async def test_a_key_for_encryption_signs_nothing(self, world: World) -> None:
        token = world.provider.token(NOON)
        public = jwt.algorithms.ECAlgorithm.to_jwk(world.provider.keys["key-1"].public_key(), as_dict=True)
        world.provider.keys.clear()
        world.provider.more_keys = [{**public, "kid": "key-1", "use": "enc"}]

        assert await world.users.user(token) is None

    async def test_groups_of_the_cluster_are_not_taken_from_it(self, world: World) -> None:
        assert await world.user(groups=["system:masters", "staff", 7, ""]) == User("alice", frozenset({"staff"}))

    async def test_prefixes_and_claims_are_as_they_are_set(self, world: World) -> None:
        world.users = world.trusting(
            replace(PROVIDER, username_claim="email", username_prefix="oidc:", groups_claim="roles", groups_prefix="g:")
        )

        found = await world.user(email="a@example.com", email_verified=True, roles=["staff"])

        assert found == User("oidc:a@example.com", frozenset({"g:staff"}))
        assert await world.user(email="a@example.com") is None, "the provider has not verified the address"
        assert await world.user(email="a@example.com", email_verified="false") is None

    def test_of_which_issuer_a_token_says_it_is(self, world: World) -> None:
        assert world.users.issued(world.provider.token(NOON))
        assert not world.users.issued(world.provider.token(NOON, iss="https://kubernetes.default.svc"))
        for text in ("", "x", "a.b.c", "e30.e30.e30"):
            assert not world.users.issued(text)


class TestKeys:
    async def test_they_are_asked_for_once_in_a_while(self, world: World) -> None:
        for _ in range(3):
            await world.user()
        assert world.provider.asked == 1

        world.seconds += FRESH_SECONDS
        await world.user()
        assert world.provider.asked == 2

    async def test_a_new_one_is_known_as_soon_as_it_is_used(self, world: World) -> None:
        await world.user()
        world.seconds += AGAIN_SECONDS
        world.provider.rotate("key-2", keep=True)

        assert await world.user(kid="key-2") == await world.user(kid="key-1") == User("alice")

    async def test_one_that_was_withdrawn_is_not_good_any_more_after_a_while(self, world: World) -> None:
        token = world.provider.token(NOON)
        await world.users.user(token)
        world.provider.rotate("key-2")

        world.seconds += FRESH_SECONDS
        assert await world.users.user(token) is None
        assert await world.user() == User("alice")

    async def test_tokens_that_name_unknown_ones_make_no_storm(self, world: World) -> None:
        stranger = IdentityProvider()
        stranger.rotate("unknown")
        for _ in range(20):
            assert await world.users.user(stranger.token(NOON)) is None
        assert world.provider.asked == 1

    async def test_what_is_known_counts_for_a_while_when_the_provider_is_away(self, world: World) -> None:
        await world.user()
        world.provider.down = True

        world.seconds += STALE_SECONDS - 1
        assert await world.user() == User("alice")
        world.seconds += AGAIN_SECONDS
        with pytest.raises(Problem) as refused:
            await world.user()
        assert refused.value.status is HTTPStatus.SERVICE_UNAVAILABLE

    async def test_those_that_are_known_wait_for_no_provider_that_hangs(self, world: World) -> None:
        await world.user()
        world.seconds += FRESH_SECONDS
        world.provider.hanging = asyncio.Event()
        first = asyncio.create_task(world.user())
        await world.is_asked(2)
        world.provider.hanging.set()
        assert await first == User("alice")

        # Another try, of which nothing is heard.
        world.provider.hanging = asyncio.Event()
        world.seconds += AGAIN_SECONDS
        async with asyncio.timeout(10):
            assert await world.user() == await world.user() == User("alice")
        await world.is_asked(3)
        world.provider.hanging.set()

    async def test_one_that_is_not_known_is_neither_good_nor_bad_while_the_provider_is_away(self, world: World) -> None:
        await world.user()
        world.provider.rotate("key-2", keep=True)
        world.provider.down = True
        world.seconds += AGAIN_SECONDS

        for _ in range(2):
            with pytest.raises(Problem) as refused:
                await world.user(kid="key-2")
            assert refused.value.status is HTTPStatus.SERVICE_UNAVAILABLE
            assert refused.value.headers["Retry-After"] == "10"
        assert await world.user(kid="key-1") == User("alice")

        world.provider.down = False
        world.seconds += AGAIN_SECONDS
        assert await world.user(kid="key-2") == User("alice")

    async def test_those_who_need_one_that_is_not_known_are_refused_at_once_but_for_the_one_who_tries(
        self, world: World
    ) -> None:
        world.provider.down = True
        with pytest.raises(Problem):
            await world.user()
        world.provider.hanging = asyncio.Event()
        world.seconds += AGAIN_SECONDS
        trying = asyncio.create_task(world.user())
        await world.is_asked(1)

        async with asyncio.timeout(10):
            with pytest.raises(Problem):
                await world.user()
        assert not trying.done()
        world.provider.hanging.set()
        with pytest.raises(Problem):
            await trying

    async def test_all_who_come_at_once_look_at_the_same_answer(self, world: World) -> None:
        assert await asyncio.gather(*(world.user() for _ in range(5))) == [User("alice")] * 5
        assert world.provider.asked == 1

    @pytest.mark.parametrize(
        "wrong", [{"issuer": "https://evil.example.com"}, {"jwks_uri": "http://login.example.com/k"}]
    )
    async def test_a_provider_that_describes_another_or_speaks_in_the_clear_is_not_believed(
        self, world: World, wrong: dict[str, str]
    ) -> None:
        vars(world.provider).update(wrong)

        with pytest.raises(Problem):
            await world.user()
