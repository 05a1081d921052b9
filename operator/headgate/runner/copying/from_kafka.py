"""Records of a topic, by the offsets of its partitions."""

from __future__ import annotations

import json
import math
from typing import Any

from headgate.api.sync import KafkaSource
from headgate.runner.connectors import kafka
from headgate.runner.connectors.guarded_loop import Elsewhere
from headgate.runner.copying.batches import BATCH_BYTES, INVALID, Batch, marked, parsed
from headgate.runner.errors import NodeFailed


class KafkaRecords:
    """A source. What retention took from the topic before it was read is passed over."""

    def __init__(self, node: KafkaSource, consumer: Any, there: Elsewhere) -> None:
        """``consumer`` is of all partitions, and lives ``there``."""
        self._node = node
        self._consumer = consumer
        self._there = there

    async def read(self, after: str | None, limit: int, until: str | None = None) -> Batch:
        """As ``Source`` has it. Records without a value, which delete in compacted topics, are left out."""
        found, reached = await kafka.told(self._there, self._read(_offsets(after), limit, _offsets(until)))
        records = tuple(self._record(record) for record in found if record.value is not None)
        mark = until if until is not None else marked({str(partition): offset for partition, offset in reached.items()})
        return Batch(records, mark)

    async def _read(
        self, after: dict[int, int] | None, limit: int, until: dict[int, int] | None
    ) -> tuple[list[Any], dict[int, int]]:
        partitions = list(self._consumer.assignment())
        earliest = await self._consumer.beginning_offsets(partitions)
        for each, offset in earliest.items():
            self._consumer.seek(each, max(offset, (after or {}).get(each.partition, 0)))
        if until is None:
            return await kafka.read(self._consumer, limit, BATCH_BYTES)
        return await kafka.read(self._consumer, math.inf, math.inf, until)

    def _record(self, record: Any) -> str:
        value = kafka.text(record.value) or ""
        try:
            members = parsed(value)
        except NodeFailed:
            where = f"partition {record.partition}, offset {record.offset}"
            raise NodeFailed(INVALID, f"the record of {self._node.topic} at {where} is no JSON object") from None
        if not self._node.metadata:
            return value
        about = {
            "kafka_partition": record.partition,
            "kafka_offset": record.offset,
            "kafka_key": kafka.text(record.key),
        }
        rest = value.strip()[1:].strip() if members else "}"
        return json.dumps(about)[:-1] + ("," if members else "") + rest


def _offsets(mark: str | None) -> dict[int, int] | None:
    return None if mark is None else {int(partition): offset for partition, offset in json.loads(mark).items()}
