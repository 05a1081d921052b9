"""Objects of a service that checks signatures: one by one, and as the target of copies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from headgate.api.connectors import S3
from headgate.runner.connectors import s3
from headgate.runner.connectors.reach import Reach
from headgate.runner.copying.from_postgres import PostgresRows
from headgate.runner.copying.to_s3 import JsonLines
from headgate.runner.errors import NodeFailed
from tests.component.copies import Fuse, KeptMark, a_copy, bucket, copied, copied_until_killed, keys, table
from tests.support.databases import TestDatabase
from tests.support.doubles import ACCESS_KEY, BUCKET, SECRET_KEY, double, over_tcp
from tests.unit.runner.connectors.nodes import INTERNET, REACH, answering, connector
from tests.unit.runner.tasks import HERE, secrets


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    options = ("-bucket", BUCKET, "-access-key-id", ACCESS_KEY, "-secret-access-key", SECRET_KEY)
    with double("s3-double", *options) as address:
        yield address


def node(address: str, **operation: Any) -> S3:
    made = connector("s3", **bucket(address), **operation).s3
    assert made is not None
    return made


async def run(address: str, reach: Reach = REACH, **operation: Any) -> Any:
    return await s3.execute(node(address, **operation), keys(), reach)


async def test_objects_are_written_read_listed_and_deleted(service: str) -> None:
    assert await run(service, put={"key": "one/a.txt", "content": "Größe"}) == {"key": "one/a.txt", "size": 7}
    await run(service, put={"key": "one/b.txt", "content": "b"})

    assert await run(service, get={"key": "one/a.txt"}) == {"key": "one/a.txt", "size": 7, "content": "Größe"}
    listed = await run(service, list={"prefix": "one", "limit": 1})
    assert ([item["key"] for item in listed["objects"]], listed["more"]) == (["one/a.txt"], True)
    for _ in range(2):
        assert await run(service, delete={"key": "one/a.txt"}) == {"key": "one/a.txt"}
    with pytest.raises(NodeFailed, match="has no such object") as failure:
        await run(service, get={"key": "one/a.txt"})
    assert failure.value.reason == "S3Missing"


async def test_a_wrong_key_is_refused_and_not_told(service: str) -> None:
    with pytest.raises(NodeFailed) as failure:
        await s3.execute(node(service, list={}), secrets(id=ACCESS_KEY, key="wrong-secret-key"), REACH)

    assert (failure.value.reason, "wrong" in failure.value.message) == ("S3Error", False)


async def test_an_object_that_no_output_can_hold_is_not_read(service: str) -> None:
    await run(service, put={"key": "large", "content": "x" * 5000})

    with pytest.raises(NodeFailed, match="5000 bytes; 4096 can be taken"):
        await run(service, get={"key": "large"})


async def test_the_name_is_resolved_once_for_each_connection_and_checked(service: str) -> None:
    port = service.rpartition(":")[2]
    reach = Reach(HERE, lambda *_: answering("127.0.0.1")("", 0))

    assert await run(f"s3.example:{port}", reach, list={"prefix": "none"}) == {"objects": [], "more": False}
    with pytest.raises(NodeFailed, match="may not be reached") as failure:
        await run(service, INTERNET, list={})
    assert failure.value.reason == "ConnectorAddress"


async def lines_of(address: str, prefix: str) -> list[list[dict[str, Any]]]:
    """The records in each object, objects by their first record."""
    listed = await run(address, list={"prefix": prefix, "limit": 100})
    found = []
    for item in listed["objects"]:
        content = (await run(address, get={"key": item["key"]}))["content"]
        found.append([json.loads(line) for line in content.splitlines()])
    return sorted(found, key=lambda lines: lines[0]["n"])


async def test_rows_become_lines_of_objects_that_are_named_by_their_range(empty: TestDatabase, service: str) -> None:
    empty.do("CREATE TABLE log AS SELECT n, 'a' || chr(10) || n AS v FROM generate_series(1, 5) n")
    target = {"s3": {**bucket(service), "prefix": "raw/log"}}
    async with over_tcp(empty.superuser_url) as url:
        output = await copied(a_copy(table("log", cursor=["n"]), target, batch=3), keys(db=url), KeptMark())

    assert output == {"batches": 2, "records": 5, "more": False}
    assert await lines_of(service, "raw/log") == [
        [{"n": n, "v": f"a\n{n}"} for n in range(1, 4)],
        [{"n": n, "v": f"a\n{n}"} for n in range(4, 6)],
    ]
    names = [item["key"] for item in (await run(service, list={"prefix": "raw/log"}))["objects"]]
    assert names[1].startswith("raw/log/beginning..3-")
    assert names[0].startswith("raw/log/3-")


async def test_a_kill_before_or_after_any_write_loses_nothing_and_doubles_nothing(
    empty: TestDatabase, service: str
) -> None:
    empty.do("CREATE TABLE log AS SELECT n FROM generate_series(1, 7) n")
    source_node = a_copy(table("log", cursor=["n"]), {"s3": {**bucket(service), "prefix": "x"}}).source.postgres
    assert source_node is not None
    async with (
        await psycopg.AsyncConnection.connect(empty.superuser_url, autocommit=True) as connection,
        s3.objects(node(service, list={}), keys(), REACH, 1 << 30) as objects,
    ):

        async def tell(name: str, fuse: Fuse) -> list[int]:
            """The rows that are there in the end, of which some came between the kill and the next runner."""
            source, target = PostgresRows(source_node, connection), JsonLines(objects, name)
            await connection.execute("DELETE FROM log WHERE n > 7")
            late = Late(source, connection)
            await copied_until_killed(late, target, KeptMark(), fuse, 3)
            return [line["n"] for lines in await lines_of(service, name) for line in lines]

        whole = Fuse()
        assert await tell("whole", whole) == [*range(1, 10)]
        for after in (False, True):
            for number in range(1, whole.writes + 1):
                name = f"kill/{after}-{number}"
                assert await tell(name, Fuse(at=number, after=after)) == [*range(1, 10)], name
    assert whole.writes == 12


class Late:
    """A source to which rows are added as soon as a batch that is not full was read."""

    def __init__(self, source: PostgresRows, connection: psycopg.AsyncConnection[Any]) -> None:
        self._source = source
        self._connection = connection

    async def read(self, after: str | None, limit: int, until: str | None = None) -> Any:
        batch = await self._source.read(after, limit, until)
        if 0 < len(batch.records) < limit and until is None:
            await self._connection.execute(
                "INSERT INTO log SELECT n FROM generate_series(8, 9) n WHERE n NOT IN (SELECT n FROM log)"
            )
        return batch
