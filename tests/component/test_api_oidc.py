"""Somebody whom an identity provider knows calls the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.gateway.jwks import KeySet
from headgate.gateway.oidc import OidcProvider, OidcUsers
from tests.builders import a_workspace
from tests.component.api_client import Api, Ticking, replica
from tests.component.api_server import ApiServer
from tests.component.world import World, one_node
from tests.support.identity_provider import ISSUER, IdentityProvider


@pytest.fixture
def provider() -> IdentityProvider:
    return IdentityProvider()


@pytest.fixture
async def api(world: World, provider: IdentityProvider) -> AsyncIterator[Api]:
    keys = KeySet(ISSUER, provider.client(), monotonic=lambda: 0.0)
    oidc = OidcUsers(OidcProvider(ISSUER, "headgate"), keys, wall=world.clock)
    async with replica(world, world.engine, ApiServer(), Ticking(), oidc) as made:
        made.given_members(a_workspace().with_member("editor", "Group", "staff").with_member("viewer", "User", "bob"))
        yield made


async def test_a_member_by_group_starts_a_run_without_the_api_server_being_asked_who_it_is(
    world: World, api: Api, provider: IdentityProvider
) -> None:
    await world.given(one_node())
    token = provider.token(world.clock.now, groups=["staff"])

    await api.post("/runs", {"workflow": "nightly"}, token=token, status=201)

    assert (await api.get("", token=token))["caller"]["subject"] == "alice"
    assert api.server.asked == 0


@pytest.mark.parametrize(
    ("claims", "status"),
    [({}, 404), ({"sub": "bob"}, 403), ({"aud": "other"}, 401), ({"exp": 1}, 401), ({"sub": "system:admin"}, 401)],
)
async def test_others_are_kept_out(
    world: World, api: Api, provider: IdentityProvider, claims: dict[str, Any], status: int
) -> None:
    token = provider.token(world.clock.now, **claims)

    assert (await api.call("POST", "/runs", {"workflow": "nightly"}, token=token)).status_code == status


async def test_tokens_of_service_accounts_are_still_the_api_servers_business(api: Api) -> None:
    api.server.knows_user("a.b.c", "bob")

    assert (await api.get("", token="a.b.c"))["caller"]["role"] == "viewer"
    assert api.server.asked == 1
