"""Records of a broker that speaks Kafka's own protocol: one by one, and as the source of copies."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from headgate.api.connectors import Kafka
from headgate.runner.connectors import kafka
from headgate.runner.connectors.reach import Reach
from headgate.runner.errors import NodeFailed
from tests.component.copies import KeptMark, a_copy, copied, table
from tests.support.databases import TestDatabase
from tests.support.doubles import double, over_tcp
from tests.unit.runner.connectors.nodes import INTERNET, REACH, answering, connector, hidden
from tests.unit.runner.tasks import HERE, secrets

TOPICS = [f"orders-{number}" for number in range(10)]
_numbers = count()


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with double("kafka-double", "-topics", ",".join(TOPICS)) as address:
        yield address


@pytest.fixture
def topic() -> str:
    """One that no other test uses."""
    return TOPICS[next(_numbers)]


def node(broker: str, **operation: Any) -> Kafka:
    made = connector("kafka", brokers=[broker], tls=False, **operation).kafka
    assert made is not None
    return made


async def run(broker: str, reach: Reach = REACH, **operation: Any) -> Any:
    return await kafka.execute(node(broker, **operation), secrets(), reach)


async def produced(broker: str, topic: str, *records: tuple[str, str]) -> Any:
    listed = [{"key": key, "value": value} for key, value in records]
    return await run(broker, produce={"topic": topic, "records": listed})


async def test_records_are_written_and_read_from_the_earliest(broker: str, topic: str) -> None:
    output = await produced(broker, topic, ("k", "one"), ("k", "two"))

    partition = output["offsets"][0]["partition"]
    assert output["offsets"] == [{"partition": partition, "offset": offset} for offset in (0, 1)]
    read = await run(broker, consume={"topic": topic})
    assert read["records"] == [
        {"partition": partition, "offset": offset, "key": "k", "value": value}
        for offset, value in enumerate(["one", "two"])
    ]


async def test_a_group_goes_on_where_it_was(broker: str, topic: str) -> None:
    await produced(broker, topic, *(("k", str(number)) for number in range(5)))

    first = await run(broker, consume={"topic": topic, "group": "g", "limit": 3})
    second = await run(broker, consume={"topic": topic, "group": "g", "limit": 3})
    third = await run(broker, consume={"topic": topic, "group": "g", "limit": 3})

    values = [[record["value"] for record in output["records"]] for output in (first, second, third)]
    assert values == [["0", "1", "2"], ["3", "4"], []]


async def test_brokers_are_checked_also_those_that_brokers_name(broker: str, topic: str) -> None:
    port = broker.rpartition(":")[2]
    with pytest.raises(NodeFailed, match="may not be reached") as failure:
        await run(broker, INTERNET, consume={"topic": topic})
    assert failure.value.reason == "ConnectorAddress"

    async def resolve(host: str, _port: int) -> list[str]:
        return ["127.0.0.1" if host == "kafka.example" else "10.0.0.1"]

    with pytest.raises(NodeFailed, match=r"127\.0\.0\.1 has the address 10\.0\.0\.1"):
        await run(f"kafka.example:{port}", Reach(HERE, resolve), consume={"topic": topic})


async def test_a_name_is_resolved_and_the_checked_address_connected_to(broker: str, topic: str) -> None:
    port = broker.rpartition(":")[2]

    assert await run(
        f"kafka.example:{port}", Reach(HERE, lambda *_: answering("127.0.0.1")("", 0)), consume={"topic": topic}
    )


async def test_a_broker_that_is_not_there_is_told(topic: str) -> None:
    with pytest.raises(NodeFailed) as failure:
        await run("127.0.0.1:1", consume={"topic": topic})
    assert failure.value.reason == "KafkaError"


async def test_a_password_goes_over_no_connection_in_the_clear(broker: str, topic: str) -> None:
    given = node(broker, username="u", password=hidden("kafka"), consume={"topic": topic})
    with pytest.raises(NodeFailed, match="set tls to true"):
        await kafka.execute(given, secrets(kafka="hunter22"), REACH)


async def test_records_become_rows_and_then_those_that_are_new(empty: TestDatabase, broker: str, topic: str) -> None:
    empty.do("CREATE TABLE copy (id int PRIMARY KEY, v text)")
    await produced(broker, topic, *((f"k{number}", f'{{"id": {number}, "v": "a"}}') for number in range(7)))
    source = {"kafka": {"brokers": [broker], "tls": False, "topic": topic}}
    cursor, sync = KeptMark(), a_copy(source, table("copy", key=["id"]), batch=3)
    async with over_tcp(empty.superuser_url) as url:
        output = await copied(sync, secrets(db=url), cursor)
        await produced(broker, topic, ("k1", '{"id": 1, "v": "b"}'))
        again = await copied(sync, secrets(db=url), cursor)

    assert (output["records"], again["records"]) == (7, 1)
    assert empty.rows("SELECT v, count(*) FROM copy GROUP BY v ORDER BY v") == [("a", 6), ("b", 1)]


async def test_records_without_an_id_of_their_own_are_told_apart_by_where_they_are(
    empty: TestDatabase, broker: str, topic: str
) -> None:
    empty.do(
        "CREATE TABLE copy (kafka_partition int, kafka_offset bigint, kafka_key text, v text,"
        " PRIMARY KEY (kafka_partition, kafka_offset))"
    )
    await produced(broker, topic, ("k", '{"v": "a"}'), ("k", "{}"))
    source = {"kafka": {"brokers": [broker], "tls": False, "topic": topic, "metadata": True}}
    target = table("copy", key=["kafka_partition", "kafka_offset"])
    async with over_tcp(empty.superuser_url) as url:
        await copied(a_copy(source, target), secrets(db=url), KeptMark())

    assert empty.rows("SELECT kafka_offset, kafka_key, v FROM copy ORDER BY 1") == [(0, "k", "a"), (1, "k", None)]


async def test_a_record_that_is_no_object_is_told_with_its_place(empty: TestDatabase, broker: str, topic: str) -> None:
    empty.do("CREATE TABLE copy (id int PRIMARY KEY)")
    await produced(broker, topic, ("k", "[1]"))
    source = {"kafka": {"brokers": [broker], "tls": False, "topic": topic}}
    async with over_tcp(empty.superuser_url) as url:
        with pytest.raises(NodeFailed, match=rf"record of {topic} at partition \d, offset 0 is no JSON object"):
            await copied(a_copy(source, table("copy", key=["id"])), secrets(db=url), KeptMark())
