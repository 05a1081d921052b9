"""Whether a runner moves, as the kubelet asks: as little of HTTP as a probe needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Alive:
    """What promised to show itself again, and until when."""

    monotonic: Callable[[], float]
    deadlines: dict[str, float] = field(default_factory=dict)

    def show(self, activity: str, within: float) -> None:
        """The activity moves; it promises to show itself again within so many seconds."""
        self.deadlines[activity] = self.monotonic() + within

    def stuck(self) -> tuple[str, ...]:
        """Activities that have not kept their promise."""
        now = self.monotonic()
        return tuple(sorted(name for name, deadline in self.deadlines.items() if deadline < now))

    async def beat(self, activity: str, within: float) -> None:
        """Show for ever that the event loop turns."""
        while True:
            self.show(activity, within)
            await asyncio.sleep(within / 3)


async def serve(alive: Alive, port: int) -> asyncio.Server:
    """Answer 200, or 503 with the names of what is stuck, to whatever is asked on that port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                await reader.readline()
                stuck = ", ".join(alive.stuck())
                status, text = ("503 Service Unavailable", f"stuck: {stuck}\n") if stuck else ("200 OK", "ok\n")
                head = f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
                writer.write((head + text).encode())
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            return
        finally:
            writer.close()

    return await asyncio.start_server(answer, "0.0.0.0", port)  # noqa: S104 - the kubelet asks from outside the pod
