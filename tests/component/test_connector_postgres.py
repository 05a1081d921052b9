"""The Postgres connector against a real Postgres, which is reached as any other machine is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.api.connectors import Postgres
from headgate.runner.connectors import postgres
from headgate.runner.connectors.reach import Reach
from headgate.runner.errors import NodeFailed
from tests.support.databases import TestDatabase
from tests.support.doubles import over_tcp
from tests.unit.runner.connectors.nodes import INTERNET, REACH, answering, connector, hidden
from tests.unit.runner.tasks import HERE, secrets


@pytest.fixture
async def url(empty: TestDatabase) -> AsyncIterator[str]:
    async with over_tcp(empty.superuser_url) as url:
        yield url


def node(query: str, **members: Any) -> Postgres:
    made = connector("postgres", connection=hidden("db"), query=query, **members).postgres
    assert made is not None
    return made


async def run(url: str, query: str, reach: Reach = REACH, **members: Any) -> Any:
    return await postgres.execute(node(query, **members), secrets(db=url), reach, 10.0)


async def test_a_statement_runs_with_its_parameters_bound(url: str) -> None:
    output = await run(url, "SELECT %(n)s || '!' AS n", parameters=[{"name": "n", "value": "'; DROP"}])

    assert output == {"rowCount": 1, "rows": [{"n": "'; DROP!"}]}


async def test_the_host_is_resolved_once_and_the_checked_address_connected_to(url: str) -> None:
    named = url.replace("127.0.0.1", "db.example")

    assert await run(named, "SELECT 1 AS n", Reach(HERE, answering("127.0.0.1")))


async def test_of_several_hosts_each_is_checked(url: str) -> None:
    port = url.rpartition(":")[2].partition("/")[0]
    several = url.replace("127.0.0.1:", f"127.0.0.1:{port},10.0.0.1:")

    with pytest.raises(NodeFailed, match=r"10\.0\.0\.1, which may not be reached"):
        await run(several, "SELECT 1")


@pytest.mark.parametrize("more", ["", "?hostaddr=127.0.0.1"])
async def test_an_address_of_this_machine_is_refused_unless_allowed(url: str, more: str) -> None:
    with pytest.raises(NodeFailed, match="may not be reached") as failure:
        await run(url.replace("127.0.0.1", "127.0.0.1" if not more else "db.example") + more, "SELECT 1", INTERNET)

    assert failure.value.reason == "ConnectorAddress"


async def test_a_socket_is_no_host(empty: TestDatabase) -> None:
    with pytest.raises(NodeFailed, match="has to name a host, and no socket"):
        await run(empty.superuser_url, "SELECT 1")
