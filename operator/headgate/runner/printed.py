"""What a script prints, on its way out: whole lines where they are not too long, and no more than is kept."""

from __future__ import annotations

import asyncio
import codecs
from collections import deque
from collections.abc import Callable
from typing import IO

PRINTED_BYTES = 1_048_576
"""Of what a script prints, that much is passed on: one half from its beginning and one from its end."""
_HALF = PRINTED_BYTES // 2
_TAIL_BYTES = 8192
_CHUNK_BYTES = 8192
_LONGEST_LINE = 8192
_COST = 128
"""What telling a piece takes besides."""

Print = Callable[[str, str], None]
"""Takes the name of a stream and what was printed there."""


class Printed:
    """Passes on what a script prints.

    The end of more than is passed on is held until ``close``: a script that prints without end fills neither the pod's
    log nor memory.
    """

    def __init__(self, show: Print) -> None:
        self._show = show
        self._room = _HALF
        self._held: deque[tuple[str, str]] = deque()
        self._held_bytes = 0
        self._left_out = 0
        self._shown = ""
        self.tail = b""
        """What was printed last on standard error."""

    async def follow(self, name: str, pipe: IO[bytes] | None) -> None:
        """Pass on what comes from the pipe of that stream, until it is closed."""
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), pipe
        )
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest = ""
        try:
            while chunk := await stream.read(_CHUNK_BYTES):
                if name == "stderr":
                    self.tail = (self.tail + chunk)[-_TAIL_BYTES:]
                rest += decoder.decode(chunk)
                # A secret is recognized in whole lines.
                whole = rest.rfind("\n") + 1
                if len(rest) - whole > _LONGEST_LINE:
                    whole = len(rest)
                self._take(name, rest[:whole])
                rest = rest[whole:]
        finally:
            self._take(name, rest + decoder.decode(b"", final=True))
            transport.close()

    def close(self) -> None:
        """Pass on the end of what was printed."""
        if self._left_out:
            broken = "" if self._shown.endswith("\n") else "\n"
            note = f"[headgate: {self._left_out} bytes of what was printed are left out here]"
            self._show("stdout", f"{broken}{note}\n")
        for name, text in self._held:
            self._show(name, text)
        self._held.clear()

    def _take(self, name: str, text: str) -> None:
        if not text:
            return
        size = len(text.encode())
        if not self._held and not self._left_out and size + _COST <= self._room:
            self._room -= size + _COST
            self._show(name, text)
            self._shown = text[-1:]
            return
        self._held.append((name, text))
        self._held_bytes += size + _COST
        while self._held_bytes > _HALF:
            gone = len(self._held.popleft()[1].encode())
            self._held_bytes -= gone + _COST
            self._left_out += gone
