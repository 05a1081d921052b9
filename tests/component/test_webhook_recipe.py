"""The example's webhook on a real server, called as docs/operations.md says."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client import CollectorRegistry

from headgate.api.workflow import Workflow
from headgate.domain.credentials import Values
from headgate.domain.webhooks import BODY_BYTES
from headgate.engine.engine import Engine
from headgate.engine.expressions.checker import ExpressionChecker
from headgate.engine.expressions.evaluator import CelEvaluator
from headgate.gateway.app import gateway
from headgate.gateway.authentication import Authenticator
from headgate.gateway.callers import Callers
from headgate.gateway.streams import Streams
from headgate.gateway.ties import Ties
from tests.component.listening import listening
from tests.component.world import KEYS, World

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/operations.md").read_text(), re.DOTALL)
[MAKE_SECRET] = [line for block in BLOCKS for line in block.splitlines() if line.startswith('secret="whsec_')]
[SEND] = [block for block in BLOCKS if "webhook-signature" in block]


@dataclass
class Served:
    """A gateway that listens."""

    world: World
    engine: Engine
    evaluator: CelEvaluator
    url: str


@asynccontextmanager
async def hooks_of(world: World, engine: Engine) -> AsyncIterator[str]:
    registry = CollectorRegistry()
    app = gateway(
        Ties(
            engine=engine,
            authenticator=cast("Authenticator", None),
            callers=cast("Callers", None),
            limits=engine.call_limits(burst=1000, monotonic=lambda: 0.0),
            streams=Streams(engine.changes, registry, most=0, most_of_workspace=0),
            registry=registry,
            lease=timedelta(seconds=1),
            wall=world.clock,
            heard=lambda _workspace, _effects: None,
        )
    )
    async with listening(app) as url:
        yield f"{url}/hooks/acme/orders"


@pytest.fixture
async def served(world: World) -> AsyncIterator[Served]:
    # Times are compared with those of processes here.
    world.clock.now = datetime.now(UTC)
    await world.engine.ensure_partitions(world.clock.now)
    evaluator = CelEvaluator()
    engine = Engine(world.database, evaluator, clock=world.clock, keys=KEYS)
    async with hooks_of(world, engine) as url:
        yield Served(world, engine, evaluator, url)
    await evaluator.aclose()


async def shell(script: str, **environment: str) -> str:
    """What a script prints that has to succeed."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-eu", "-c", script, env={**os.environ, **environment}, stdout=-1, stderr=-1
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_example_runs_by_the_commands_of_the_documentation(served: Served) -> None:
    acme = served.world.ids["acme"]
    example = yaml.safe_load((ROOT / "manifests/examples/webhooks/order-paid.yaml").read_text())
    workflow = Workflow.model_validate(example)
    assert await ExpressionChecker(served.evaluator).problems(workflow.spec) == ()
    await served.engine.workflows.record(acme, "acme", workflow.metadata.name, workflow.spec)
    secret = (await shell(f'{MAKE_SECRET}\nprintf %s "$secret"')).strip()
    await served.engine.credentials.put(acme, "shop", "webhook", Values({"current": secret}), by="alice")

    answer = json.loads(await shell(SEND, secret=secret, url=served.url))

    [run] = await served.world.rows("SELECT id, inputs FROM headgate.workflow_executions")
    assert answer["runs"] == [str(run["id"])]
    assert run["inputs"] == {"order": 7, "total": 12.5}
    refused = json.loads(await shell(SEND, secret="whsec_AAAAAAAAAAAAAAAAAAAAAAAA", url=served.url))
    assert refused["reason"] == "NotSigned"


async def test_a_body_in_chunks_that_never_ends_is_cut_on_the_wire(served: Served) -> None:
    at = urlsplit(served.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    head = f"POST {at.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head.encode())
    answered: asyncio.Task[Any] = asyncio.create_task(reader.readuntil(b"\r\n"))
    sent = 0
    while not answered.done() and sent < 100 * BODY_BYTES:
        try:
            writer.write(b"1000\r\n" + b"[" * 4096 + b"\r\n")
            await writer.drain()
        except ConnectionError:
            break
        sent += 4096
        await asyncio.sleep(0)

    async with asyncio.timeout(30):
        assert b" 413 " in await answered
    writer.close()
