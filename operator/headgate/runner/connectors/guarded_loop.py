"""A loop of its own for libraries that connect by names that they are told: it connects to checked addresses only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from headgate.runner.connectors.reach import Reach
from headgate.runner.errors import NodeFailed

T = TypeVar("T")


class GuardedLoop(asyncio.SelectorEventLoop):
    """Gives every connection that is made by name to an address of the name that was checked."""

    def __init__(self, reach: Reach) -> None:
        super().__init__()
        self._reach = reach
        self.refused: NodeFailed | None = None
        """Why a connection was not made."""
        self.refusing = asyncio.Event()

    async def create_connection(
        self, protocol_factory: Callable[[], Any], host: str | None = None, port: int | None = None, **more: Any
    ) -> tuple[asyncio.Transport, Any]:
        """As any loop, but from address to address of those that were checked. Raises ``OSError``."""
        if host is None or port is None:
            raise OSError("a connection needs a name and a port")
        try:
            addresses = await self._reach.addresses(host, port)
        except NodeFailed as refused:
            self.refused = self.refused or refused
            self.refusing.set()
            raise OSError(refused.reason) from None
        if more.get("ssl") is not None:
            more.setdefault("server_hostname", host)
        last = OSError("no address")
        for address in addresses:
            try:
                return await super().create_connection(protocol_factory, address, port, **more)
            except OSError as error:
                last = error
        raise last


class Elsewhere:
    """Where coroutines of such libraries run."""

    def __init__(self, loop: GuardedLoop) -> None:
        self._loop = loop

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What it returns or raises. Cancelling this cancels it.

        It is ended with ``NodeFailed`` where a connection is refused: the library that asked would try for long, and
        tell it in words of its own, if at all.
        """
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._unless_refused(work), self._loop))

    async def end(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry out what ends something, whatever was refused."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _unless_refused(self, work: Coroutine[Any, Any, T]) -> T:
        going = asyncio.ensure_future(work)
        refusing = asyncio.ensure_future(self._loop.refusing.wait())
        try:
            await asyncio.wait((going, refusing), return_when=asyncio.FIRST_COMPLETED)
            if self._loop.refused is not None:
                raise self._loop.refused
            return going.result()
        finally:
            going.cancel()
            refusing.cancel()
            await asyncio.gather(going, refusing, return_exceptions=True)


@asynccontextmanager
async def elsewhere(reach: Reach) -> AsyncIterator[Elsewhere]:
    """A guarded loop in a thread, until the end of the block; nothing of what ran there outlives it."""
    loop = GuardedLoop(reach)
    thread = threading.Thread(target=loop.run_forever, name="guarded-loop", daemon=True)
    thread.start()
    there = Elsewhere(loop)
    try:
        yield there
    finally:
        await there.end(_end_others())
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
