"""A gateway's process with all that there may be of Postgres: a pooler in front of it, and a standby."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hack.postgres import RUNTIME
from headgate.api.members import Role
from headgate.engine.api_keys import NewKey
from tests.component.world import World
from tests.support.databases import TestDatabase
from tests.support.identities import OF_NO_CLUSTER
from tests.support.pgbouncer import own_pgbouncer
from tests.support.standby import Standby, own_standby
from tests.support.waiting import eventually
from tests.support.warm_processes import own_port


@dataclass(frozen=True)
class Gateway:
    """A process that serves."""

    api: str
    probes: str
    standby: Standby

    async def metric(self, name: str, **labels: str) -> float | None:
        """A sample, where there is one yet."""
        async with httpx.AsyncClient() as http:
            try:
                text = (await http.get(f"{self.probes}/metrics")).text
            except httpx.TransportError:
                return None
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return next((each.value for each in samples if each.name == name and each.labels == labels), None)


@pytest.fixture
def gateway(fresh: TestDatabase, tmp_path: Path) -> Iterator[Gateway]:
    (tmp_path / "kubeconfig").write_text(OF_NO_CLUSTER)
    api, probes = own_port(), own_port()
    with own_standby(fresh.server) as standby, own_pgbouncer(fresh.server) as bouncer:
        environment = {
            **os.environ,
            "HEADGATE_KUBECONFIG": str(tmp_path / "kubeconfig"),
            "HEADGATE_HTTP_HOST": "127.0.0.1",
            "HEADGATE_HTTP_PORT": str(probes),
            "HEADGATE_API_PORT": str(api),
            "HEADGATE_LOG_LEVEL": "warning",
            "HEADGATE_DATABASE_URL": bouncer.url(fresh.name),
            "HEADGATE_DATABASE_PREPARED_STATEMENTS": "false",
            "HEADGATE_DATABASE_DIRECT_URL": fresh.direct_url,
            "HEADGATE_DATABASE_REPLICA_URL": standby.url(RUNTIME),
            "HEADGATE_DATABASE_REPLICA_MAX_LAG_SECONDS": "20",
        }
        with subprocess.Popen([sys.executable, "-m", "headgate.cli.entry", "gateway"], env=environment) as process:
            yield Gateway(f"http://127.0.0.1:{api}", f"http://127.0.0.1:{probes}", standby)
            process.terminate()


async def test_it_reads_what_may_be_late_from_the_standby_and_without_it_from_the_primary(
    world: World, gateway: Gateway
) -> None:
    key = await world.engine.api_keys.issue(world.ids["acme"], NewKey("ci", Role.OWNER, "alice"))

    async def up() -> bool:
        return await gateway.metric("headgate_replica_up") == 1

    async def cost() -> int:
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key.text}"}, timeout=30) as http:
            return (await http.get(f"{gateway.api}/api/v1/workspaces/acme/cost")).status_code

    await eventually(up, what="a standby that keeps up")
    assert await cost() == 200
    gateway.standby.kill()
    assert await cost() == 200

    assert await gateway.metric("headgate_gateway_late_reads_total", by="replica") == 1
    assert await gateway.metric("headgate_gateway_late_reads_total", by="primary") == 1
    assert await gateway.metric("headgate_replica_up") == 0
