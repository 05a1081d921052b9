"""The gateway as somebody calls it: the real application on real rows, with time set by hand."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import httpx
from prometheus_client import CollectorRegistry

from headgate.api.members import Role
from headgate.cluster.client import KubeClient
from headgate.engine.api_keys import Issued, NewKey
from headgate.engine.call_limits.limits import CallLimits
from headgate.engine.engine import Engine
from headgate.engine.types import Effects
from headgate.gateway.app import Gateway, gateway
from headgate.gateway.authentication import Authenticator
from headgate.gateway.callers import Callers, TokenUsers
from headgate.gateway.live_logs import LiveLogs
from headgate.gateway.minute_counts import MinuteCounts
from headgate.gateway.pace import Pace
from headgate.gateway.refusals import Refusals
from headgate.gateway.strangers import Strangers
from headgate.gateway.streams import Streams
from headgate.gateway.ties import Ties
from headgate.gateway.waiting_room import WaitingRoom
from headgate.objects.object_store import ObjectStore
from headgate.store.lent_calls import LentCalls
from tests.builders import WorkspaceBuilder, a_workspace
from tests.component.api_server import ApiServer
from tests.component.world import World


@dataclass
class Ticking:
    """Seconds that pass when they are told to."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Api:
    """A client of one replica. It calls as an owner of ``acme`` unless it is told otherwise."""

    world: World
    http: httpx.AsyncClient
    server: ApiServer
    ticking: Ticking
    heard: list[tuple[str, Effects]]
    registry: CollectorRegistry
    limits: CallLimits
    streams: Streams
    objects: ObjectStore
    refusals: Refusals
    app: Gateway
    room: WaitingRoom
    token: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    async def issue(self, workspace: str = "acme", role: Role = Role.OWNER, **members: Any) -> Issued:
        """A key made by the engine."""
        wanted = NewKey("ci", role, "alice", **members)
        return await self.world.engine.api_keys.issue(self.world.ids[workspace], wanted)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        workspace: str = "acme",
        **more: Any,
    ) -> httpx.Response:
        """One request under the workspace's path. Without a token it is ours; with an empty one there is none."""
        return await self.request(method, f"/api/v1/workspaces/{workspace}{path}", body, token=token, **more)

    async def request(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **more: Any
    ) -> httpx.Response:
        """One request to a whole path."""
        if token is None:
            self.token = self.token or (await self.issue()).text
            token = self.token
        headers = {**more.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        if body is not None:
            more["json"] = body
        return await self.http.request(method, path, headers=headers, **more)

    async def get(self, path: str, **more: Any) -> Any:
        """What there must be."""
        answer = await self.call("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, *, status: int = 200, **more: Any) -> Any:
        """What must be answered so."""
        answer = await self.call("POST", path, body, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def start(self, workflow: str = "nightly", **members: Any) -> Any:
        """A run that must start."""
        self.world.clock.advance(milliseconds=1)
        return await self.post("/runs", {"workflow": workflow, **members}, status=201)

    async def calls_used(self) -> int:
        """What the workspace used of its calls this hour, with this one."""
        [use] = [item for item in (await self.get("/usage"))["limits"] if item["name"] == "maxApiCallsPerHour"]
        return int(use["used"])

    def given_members(self, workspace: WorkspaceBuilder | None = None) -> None:
        """Have the API server serve that Workspace."""
        made = workspace or a_workspace()
        self.server.workspaces[made.manifest()["metadata"]["name"]] = made.manifest()


@asynccontextmanager
async def replica(
    world: World,
    engine: Engine,
    server: ApiServer,
    ticking: Ticking,
    oidc: TokenUsers | None = None,
    *,
    burst: int = 1_000_000,
    lent: LentCalls | None = None,
    strangers: Strangers | None = None,
    objects: ObjectStore | None = None,
) -> AsyncIterator[Api]:
    """One replica of the gateway, with what it remembers its own."""
    heard: list[tuple[str, Effects]] = []
    registry, refusals, room = CollectorRegistry(), Refusals(engine.webhooks), WaitingRoom()
    streams = Streams(engine.changes, registry, most=20, most_of_workspace=10)
    kube = cast("KubeClient", server)
    limits = engine.call_limits(burst=burst, monotonic=ticking, lent=lent)

    def hear(workspace: str, effects: Effects) -> None:
        heard.append((workspace, effects))

    objects = objects or ObjectStore("memory:///")
    app = gateway(
        Ties(
            engine=engine,
            authenticator=Authenticator(kube, engine.workspaces, monotonic=ticking),
            callers=Callers(
                kube,
                engine.api_keys,
                engine.workspaces,
                monotonic=ticking,
                oidc=oidc,
                strangers=strangers,
                visits=MinuteCounts(burst, ticking),
            ),
            limits=limits,
            streams=streams,
            registry=registry,
            lease=timedelta(seconds=15),
            wall=world.clock,
            heard=hear,
            room=room,
            objects=objects,
            live=LiveLogs(kube, engine.logs, Pace(1_048_576, time.monotonic)),
            refusals=refusals,
            refusal_seconds=0.0,
        )
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        yield Api(world, http, server, ticking, heard, registry, limits, streams, objects, refusals, app, room)
    objects.close()
