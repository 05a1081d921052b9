"""Objects of buckets, by obstore, which connects through a door."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from headgate.api.connectors import S3
from headgate.api.systems import Bucket
from headgate.engine.bounds import OUTPUT_BYTES
from headgate.runner.connectors import door
from headgate.runner.connectors.door import Door
from headgate.runner.connectors.hidden import value_of
from headgate.runner.connectors.reach import CONNECT_SECONDS, Reach
from headgate.runner.connectors.threads import in_thread
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Secrets

T = TypeVar("T")

_ANSWER_BYTES = 1_048_576
"""A list of a thousand keys, and what an object may have that becomes an output."""
_STATUS = re.compile(r"status code: (\d{3})|status: (\d{3})")


@dataclass(frozen=True)
class Objects:
    """The objects of a bucket. Every method raises ``NodeFailed``."""

    store: Any
    door: Door
    bucket: str

    async def put(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Write an object: all of it, or nothing."""
        import obstore

        await self._do(lambda: obstore.put(self.store, key, content, attributes={"Content-Type": content_type}))

    async def get(self, key: str, most_bytes: int) -> tuple[int, bytes]:
        """Size and content of an object of ``most_bytes`` at most."""
        import obstore

        def get() -> tuple[int, bytes]:
            found = obstore.get(self.store, key)
            size = int(found.meta["size"])
            if size > most_bytes:
                raise NodeFailed("TooLarge", f"the object {key} has {size} bytes; {most_bytes} can be taken at most")
            return size, bytes(found.bytes())

        return await self._do(get)

    async def list(self, prefix: str, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """The first objects below a folder, as far as the service gives them in order, and whether there are more."""
        import obstore

        def first() -> list[Any]:
            pages = obstore.list(self.store, prefix or None, chunk_size=limit + 1)
            return list(next(iter(pages), []))

        found = await self._do(first)
        told = [
            {"key": item["path"], "size": item["size"], "modifiedAt": item["last_modified"].isoformat()}
            for item in sorted(found, key=lambda item: str(item["path"]))[:limit]
        ]
        return told, len(found) > limit

    async def delete(self, key: str) -> None:
        """Delete an object; there need be none."""
        import obstore

        def delete() -> None:
            try:
                obstore.delete(self.store, key)
            except FileNotFoundError:
                return

        await self._do(delete)

    async def _do(self, request: Callable[[], T]) -> T:
        from obstore.exceptions import BaseError

        try:
            return await in_thread(request, self.door.cut)
        except FileNotFoundError:
            raise self.door.refused or NodeFailed("S3Missing", f"bucket {self.bucket} has no such object") from None
        except (BaseError, OSError, ValueError) as error:
            # Its words quote requests, which hold signatures.
            status = _STATUS.search(str(error))
            code = f" {status[1] or status[2]}" if status else ""
            raise self.door.refused or NodeFailed(
                "S3Error", f"bucket {self.bucket} cannot be used: {type(error).__name__}{code}"
            ) from None


@asynccontextmanager
async def objects(bucket: Bucket, secrets: Secrets, reach: Reach, answer_bytes: int) -> AsyncIterator[Objects]:
    """The objects of the bucket, of which so many bytes can be read in all. Raises ``NodeFailed``."""
    from obstore.store import S3Store

    async with door.opened(reach, answer_bytes) as opened:
        config: Any = {
            "region": bucket.region,
            "endpoint": bucket.endpoint.rstrip("/"),
            "access_key_id": value_of(bucket.access_key_id, secrets),
            "secret_access_key": value_of(bucket.secret_access_key, secrets),
        }
        options: Any = {
            "allow_http": True,
            "proxy_url": opened.url,
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=60),
            "user_agent": "headgate",
        }
        retries: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
        store = S3Store(bucket.bucket, config=config, client_options=options, retry_config=retries)
        yield Objects(store, opened, bucket.bucket)


async def execute(node: S3, secrets: Secrets, reach: Reach) -> Any:
    """The output of the node. Raises ``NodeFailed``."""
    async with objects(node, secrets, reach, _ANSWER_BYTES) as found:
        if node.get is not None:
            size, content = await found.get(node.get.key, OUTPUT_BYTES)
            return {"key": node.get.key, "size": size, "content": _text(content)}
        if node.put is not None:
            body = node.put.content.encode()
            await found.put(node.put.key, body, node.put.content_type)
            return {"key": node.put.key, "size": len(body)}
        if node.list is not None:
            listed, more = await found.list(node.list.prefix, node.list.limit)
            return {"objects": listed, "more": more}
        if node.delete is not None:
            await found.delete(node.delete.key)
            return {"key": node.delete.key}
    raise NodeFailed("InvalidTask", "this runner does not know what the node asks for")


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise NodeFailed("InvalidOutput", "the object is no text in UTF-8") from None
