"""Items of an HTTP API that answers with those after a value."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from headgate.api.sync import HttpSource
from headgate.runner import http
from headgate.runner.connectors.reach import Reach
from headgate.runner.copying.batches import BATCH_BYTES, INVALID, Batch, marked
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Secrets


class HttpItems:
    """A source. An item whose value is the mark is taken for the one that the mark is of."""

    def __init__(self, node: HttpSource, secrets: Secrets, reach: Reach) -> None:
        self._node = node
        self._reach = reach
        self._headers, self._secret = http.headers_of(node.headers, secrets)

    async def read(self, after: str | None, limit: int, until: str | None = None) -> Batch:
        """As ``Source`` has it: one answer of the API, however many items that are."""
        items = await self._items(after, limit)
        values = [marked(self._value(item)) for item in items]
        if after in values:
            items, values = items[values.index(after) + 1 :], values[values.index(after) + 1 :]
        if until is not None and until in values:
            items, values = items[: values.index(until) + 1], values[: values.index(until) + 1]
        records = tuple(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in items)
        return Batch(records, until if until is not None else values[-1] if values else None)

    async def _items(self, after: str | None, limit: int) -> list[dict[str, Any]]:
        url = http.url_of(self._node.url)
        if after is not None:
            value = json.loads(after)
            url = url.copy_set_param(self._node.parameter, value if isinstance(value, str) else json.dumps(value))
        if self._node.limit_parameter is not None:
            url = url.copy_set_param(self._node.limit_parameter, str(limit))
        request = http.Request("GET", url, self._headers, self._secret, None)
        status, _, body = await http.send(request, self._reach.networks, self._reach.resolve, most_bytes=BATCH_BYTES)
        if status != HTTPStatus.OK:
            raise NodeFailed("HttpStatus", f"{url.host} answered {status}")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise NodeFailed(INVALID, f"the answer of {url.host} is no JSON") from None
        for name in self._node.items.split(".") if self._node.items is not None else ():
            found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            where = f"at {self._node.items} of" if self._node.items is not None else "in"
            raise NodeFailed(INVALID, f"there is no list of objects {where} the answer of {url.host}")
        return found

    def _value(self, item: dict[str, Any]) -> str | int:
        found: Any = item
        for name in self._node.cursor.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, bool) or not isinstance(found, str | int):
            raise NodeFailed(
                INVALID, f"an item has no text or whole number as {self._node.cursor}, which is the cursor"
            )
        return found
