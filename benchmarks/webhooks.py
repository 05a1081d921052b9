"""What deliveries of webhooks cost, and whether the time of a refusal tells which webhooks there are.

    python -m benchmarks.webhooks [--rounds 300]

The gateway's application on an embedded Postgres, called without a network, which would only hide differences. Goals:
a refusal takes as long whatever there is, to 5 percent of its median; a delivery with its run leaves room for the 20 ms
from a trigger to the first step.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import statistics
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

import httpx
from prometheus_client import CollectorRegistry

from benchmarks.engine import UNLIMITED, NoExpressions, a_server
from benchmarks.report import Figure, show
from hack.postgres import MIGRATOR, RUNTIME
from headgate.api.workflow import WorkflowSpec
from headgate.domain.credentials import Values
from headgate.domain.envelope import KeyRing
from headgate.domain.webhooks import BODY_BYTES
from headgate.engine.engine import Engine
from headgate.engine.types import WorkspaceRecord
from headgate.gateway.app import gateway
from headgate.gateway.authentication import Authenticator
from headgate.gateway.callers import Callers
from headgate.gateway.hooks import REFUSAL_SECONDS
from headgate.gateway.streams import Streams
from headgate.gateway.ties import Ties
from headgate.store import migrate
from headgate.store.database import Database

KEY, WRONG = b"k" * 32, b"w" * 32
PATH = "/hooks/acme/orders"
UNSIGNED: Mapping[str, str] = {
    "a webhook that there is": PATH,
    "an unknown webhook": "/hooks/acme/nothing",
    "an unknown workspace": "/hooks/nobody/orders",
}
SMALL, LARGE = b'{"type": "order.paid"}', b'"' + b"x" * (BODY_BYTES - 2) + b'"'


@asynccontextmanager
async def served() -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """A gateway with one webhook, on a Postgres of its own: as it is, and one that refuses as soon as it can."""
    with a_server() as server:
        migrate.upgrade(server.url(MIGRATOR), runtime_login=RUNTIME)
        database = Database(server.url(RUNTIME), pool_size=10)
        ring = KeyRing("one", {"one": bytes(range(32))})
        engine = Engine(database, NoExpressions(), clock=_now, keys=ring)
        await engine.ensure_partitions(_now())
        acme = await engine.workspaces.sync(WorkspaceRecord("acme", UNLIMITED, suspended=False))
        secret = "whsec_" + base64.b64encode(KEY).decode()
        await engine.credentials.put(acme, "shop", "webhook", Values({"current": secret}), by="bench")
        await engine.workflows.record(acme, "acme", "hooked", WorkflowSpec.model_validate({"nodes": _nodes()}))
        async with _client(engine, REFUSAL_SECONDS) as http, _client(engine, 0.0) as bare:
            yield http, bare
        await database.close()


def _client(engine: Engine, refusal_seconds: float) -> httpx.AsyncClient:
    registry = CollectorRegistry()
    app = gateway(
        Ties(
            engine=engine,
            authenticator=cast("Authenticator", None),
            callers=cast("Callers", None),
            limits=engine.call_limits(burst=1_000_000, monotonic=time.monotonic),
            streams=Streams(engine.changes, registry, most=0, most_of_workspace=0),
            registry=registry,
            lease=timedelta(seconds=1),
            wall=_now,
            heard=lambda _workspace, _effects: None,
            refusal_seconds=refusal_seconds,
        )
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


def _nodes() -> list[dict[str, object]]:
    webhook = {"hook": "orders", "secrets": [{"name": "shop", "key": "current"}]}
    container = {"container": {"image": "busybox"}}
    return [
        {"id": "paid", "type": "trigger", "config": {"webhook": webhook}},
        {"id": "work", "type": "action", "dependsOn": ["paid"], "config": container},
    ]


async def seconds(http: httpx.AsyncClient, path: str, name: str, body: bytes, key: bytes, status: int) -> float:
    """How long one delivery takes."""
    at = int(time.time())
    digest = hmac.digest(key, f"{name}.{at}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    said = {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": signature}
    begun = time.perf_counter()
    answer = await http.post(path, content=body, headers={"Content-Type": "application/json", **said})
    taken = time.perf_counter() - begun
    if answer.status_code != status:
        raise RuntimeError(answer.text)
    return taken


async def refusals(http: httpx.AsyncClient, body: bytes, rounds: int) -> dict[str, float]:
    """Medians in milliseconds of what nobody signed, by what there is; all kinds take turns."""
    taken: dict[str, list[float]] = {what: [] for what in UNSIGNED}
    order = list(UNSIGNED.items())
    for number in range(rounds):
        # Each kind comes first, second and last as often as the others.
        for what, path in order[number % 3 :] + order[: number % 3]:
            taken[what].append(await seconds(http, path, f"m-{number}", body, WRONG, 401))
    return {what: 1000 * statistics.median(values[rounds // 10 :]) for what, values in taken.items()}


def spread(medians: Mapping[str, float]) -> float:
    """How far the medians are apart, in percent of the smallest."""
    return 100 * (max(medians.values()) / min(medians.values()) - 1)


async def main(rounds: int) -> list[Figure]:
    """Measure."""
    async with served() as (http, bare):
        small, large = await refusals(http, SMALL, rounds), await refusals(http, LARGE, rounds)
        without = await refusals(bare, SMALL, rounds)
        for medians in (small, large, without):
            print(", ".join(f"{what}: {value:.3f} ms" for what, value in medians.items()))
        first = [await seconds(http, PATH, f"first-{number}", SMALL, KEY, 202) for number in range(rounds)]
        again = [await seconds(http, PATH, f"first-{number}", SMALL, KEY, 200) for number in range(rounds)]
        begun = time.perf_counter()
        waves = [[f"wave-{wave}-{number}" for number in range(8)] for wave in range(max(1, rounds // 8))]
        for wave in waves:
            await asyncio.gather(*(seconds(http, PATH, name, SMALL, KEY, 202) for name in wave))
        rate = sum(map(len, waves)) / (time.perf_counter() - begun)
    return [
        Figure("spread of the time of refusals, small bodies", spread(small), "%", 5, "lower"),
        Figure("spread of the time of refusals, bodies of 256 KiB", spread(large), "%", 5, "lower"),
        Figure("the same without waiting, small bodies", spread(without), "%", 5, "lower"),
        Figure("a delivery with its run, median", 1000 * statistics.median(first), "ms", 20, "lower"),
        Figure("a delivery that had been taken, median", 1000 * statistics.median(again), "ms", 20, "lower"),
        Figure("deliveries with their runs, eight at once", rate, "/s", 100, "higher"),
    ]


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    show(asyncio.run(main(arguments.rounds)), "python -m benchmarks.webhooks")
