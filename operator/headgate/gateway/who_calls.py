"""Who may call the API, as the settings say."""

from __future__ import annotations

import ssl
import time
from contextlib import AsyncExitStack

import httpx

from headgate.clock import wall
from headgate.dependencies import Dependencies
from headgate.domain.dependency_breaker import DependencyName
from headgate.gateway.callers import Callers
from headgate.gateway.jwks import PATIENCE, KeySet
from headgate.gateway.minute_counts import MinuteCounts
from headgate.gateway.oidc import OidcProvider, OidcUsers
from headgate.gateway.opening import Opened
from headgate.gateway.strangers import Strangers
from headgate.settings import GatewaySettings

_PROVIDER_SECONDS = 5.0


async def callers_of(settings: GatewaySettings, world: Opened, stack: AsyncExitStack) -> Callers:
    """Those who may call. ``stack`` closes what is opened for it."""
    return Callers(
        world.kube,
        world.engine.api_keys,
        world.engine.workspaces,
        monotonic=time.monotonic,
        oidc=await _oidc(settings, world.dependencies, stack),
        strangers=Strangers(settings.failures_per_minute, time.monotonic),
        visits=MinuteCounts(settings.calls_per_minute, time.monotonic),
    )


async def _oidc(settings: GatewaySettings, dependencies: Dependencies, stack: AsyncExitStack) -> OidcUsers | None:
    """The users of the identity provider that the settings name."""
    if settings.oidc_issuer is None:
        return None
    verify = ssl.create_default_context(cafile=settings.oidc_ca_file)
    http = await stack.enter_async_context(httpx.AsyncClient(timeout=_PROVIDER_SECONDS, verify=verify))
    provider = OidcProvider(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        username_claim=settings.oidc_username_claim,
        groups_claim=settings.oidc_groups_claim,
        username_prefix=settings.oidc_username_prefix,
        groups_prefix=settings.oidc_groups_prefix,
    )
    guard = dependencies.guard(DependencyName.IDENTITY_PROVIDER, PATIENCE)
    return OidcUsers(provider, KeySet(provider.issuer, http, monotonic=time.monotonic, guard=guard), wall=wall)
