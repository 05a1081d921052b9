"""Records of topics, by aiokafka on a guarded loop: brokers name others, which are checked as the first ones are."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from headgate.api.connectors import Kafka, KafkaConsume, KafkaProduce
from headgate.api.systems import KafkaCluster
from headgate.engine.bounds import OUTPUT_BYTES
from headgate.runner import http
from headgate.runner.connectors.guarded_loop import Elsewhere, elsewhere
from headgate.runner.connectors.hidden import value_of
from headgate.runner.connectors.reach import CONNECTION, Reach
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Secrets

T = TypeVar("T")

_REQUEST_MS = 15_000
_POLL_MS = 500
_POLL_RECORDS = 1000
_QUIET_POLLS = 6
"""So many polls without a record end a read that did not come to the end: it may be held up by a transaction."""
_MECHANISMS = {"Plain": "PLAIN", "ScramSha256": "SCRAM-SHA-256", "ScramSha512": "SCRAM-SHA-512"}

Offsets = Mapping[int, int]
"""The next offset, by partition."""


async def execute(node: Kafka, secrets: Secrets, reach: Reach) -> Any:
    """The output of the node. Raises ``NodeFailed``."""
    access = access_of(node, secrets)
    async with elsewhere(reach) as there:
        if node.produce is not None:
            return await told(there, _produced(access, node.produce))
        if node.consume is not None:
            return await told(there, _consumed(access, node.consume))
    raise NodeFailed("InvalidTask", "this runner does not know what the node asks for")


async def told(there: Elsewhere, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; an error of the library, and what lies behind it, becomes ``NodeFailed``."""
    from aiokafka.errors import KafkaError

    try:
        return await there.run(work)
    except KafkaError as error:
        raise NodeFailed("KafkaError", f"the brokers cannot be used: {type(error).__name__}") from None
    except OSError as error:
        raise NodeFailed(CONNECTION, f"no connection to a broker: {type(error).__name__}") from None


def access_of(cluster: KafkaCluster, secrets: Secrets) -> Mapping[str, Any]:
    """How the library reaches the brokers. Raises ``NodeFailed``."""
    access: dict[str, Any] = {
        "bootstrap_servers": list(cluster.brokers),
        "client_id": "headgate",
        "request_timeout_ms": _REQUEST_MS,
        "security_protocol": "SSL" if cluster.tls else "PLAINTEXT",
        "ssl_context": http.trust() if cluster.tls else None,
    }
    if (cluster.username is None) != (cluster.password is None):
        raise NodeFailed("InvalidRequest", "set username and password, or neither")
    if cluster.password is not None:
        if not cluster.tls:
            raise NodeFailed("InvalidRequest", "a password is sent encrypted only: set tls to true")
        access |= {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": _MECHANISMS[cluster.mechanism],
            "sasl_plain_username": cluster.username,
            "sasl_plain_password": value_of(cluster.password, secrets),
        }
    return access


async def consumer(access: Mapping[str, Any], topic: str, group: str | None = None) -> Any:
    """A consumer of all partitions of a topic or, in a group, of those that it is given; stop it in the end."""
    from aiokafka import AIOKafkaConsumer

    made = AIOKafkaConsumer(
        topic,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        **access,
    )
    try:
        await made.start()
    except BaseException:
        await made.stop()
        raise
    return made


async def read(
    consumer: Any, limit: float, most_bytes: float, until: Offsets | None = None
) -> tuple[list[Any], dict[int, int]]:
    """Up to so many records that there are now, and the next offset of every partition.

    With ``until``, all records before these offsets that are there still, or ``NodeFailed``.
    """
    partitions = sorted(consumer.assignment(), key=lambda each: int(each.partition))
    ends = await consumer.end_offsets(partitions)
    if until is not None:
        ends = {each: min(end, until.get(each.partition, 0)) for each, end in ends.items()}
    reached = {each: await consumer.position(each) for each in partitions}
    found: list[Any] = []
    quiet, size = 0, 0
    while quiet < _QUIET_POLLS and len(found) < limit and size < most_bytes:
        behind = [each for each in partitions if reached[each] < ends[each]]
        if not behind:
            break
        answer = await consumer.getmany(
            *behind, timeout_ms=_POLL_MS, max_records=int(min(limit - len(found), _POLL_RECORDS))
        )
        quiet = 0 if answer else quiet + 1
        for partition, records in answer.items():
            for record in records:
                if record.offset < ends[partition]:
                    found.append(record)
                    size += len(record.value or b"")
                    reached[partition] = record.offset + 1
                else:
                    reached[partition] = ends[partition]
        for partition in behind:
            if not answer:
                # What ends a transaction takes an offset, and is no record.
                reached[partition] = max(reached[partition], min(await consumer.position(partition), ends[partition]))
    if until is not None and any(reached[each] < ends[each] for each in partitions):
        raise NodeFailed("KafkaError", "the brokers did not give all records in time")
    for partition, offset in reached.items():
        consumer.seek(partition, offset)
    return found, {each.partition: offset for each, offset in reached.items()}


async def _consumed(access: Mapping[str, Any], node: KafkaConsume) -> Any:
    reading = await consumer(access, node.topic, node.group)
    try:
        found, reached = await read(reading, node.limit, OUTPUT_BYTES)
        if node.group is not None and found:
            await reading.commit({each: reached[each.partition] for each in reading.assignment()})
    finally:
        await reading.stop()
    return {
        "records": [
            {
                "partition": record.partition,
                "offset": record.offset,
                "key": text(record.key),
                "value": text(record.value),
            }
            for record in found
        ]
    }


def text(content: bytes | None) -> str | None:
    """What a record says. Raises ``NodeFailed`` where it is no text."""
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        raise NodeFailed("InvalidOutput", "a record is no text in UTF-8") from None


async def _produced(access: Mapping[str, Any], node: KafkaProduce) -> Any:
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **access)
    try:
        await producer.start()
        written = []
        for record in node.records:
            key = record.key.encode() if record.key is not None else None
            written.append(await producer.send_and_wait(node.topic, record.value.encode(), key))
    finally:
        await producer.stop()
    return {"offsets": [{"partition": each.partition, "offset": each.offset} for each in written]}
