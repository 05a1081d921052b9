"""Files that a script left in another container: whoever keeps them asks its host for one piece after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from headgate.domain.artifacts import INVALID, MOST_FILES, is_name, misnamed
from headgate.runner import script_line
from headgate.runner.errors import NodeFailed
from headgate.runner.left import PIECE_BYTES, Keep, changed


class LeftThere:
    """What one program left. The container that tells of it is the tenant's: nothing it says is believed."""

    def __init__(self, writer: asyncio.StreamWriter, keep: Keep) -> None:
        self._writer = writer
        self._keep = keep
        self._keeping: asyncio.Task[None] | None = None
        self._waited_for: tuple[int, int, asyncio.Future[bytes]] | None = None
        self.failure: NodeFailed | None = None
        """Why they are not kept."""

    def told(self, files: Any) -> None:
        """The program has succeeded, and left these: have them kept, and say so."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._kept(files))

    def given(self, said: dict[str, Any]) -> None:
        """A piece. One that nobody waits for any more is of a request that broke off, and was begun again since."""
        if self._waited_for is None:
            return
        file, at, answer = self._waited_for
        if (said.get("file"), said.get("at")) != (file, at) or answer.done():
            return
        try:
            answer.set_result(script_line.piece_of(said))
        except (KeyError, TypeError, ValueError):
            answer.set_exception(NodeFailed(INVALID, "the container of the script gave no piece of a file"))

    def end(self) -> None:
        """Nothing comes any more, and nothing is to be kept any more."""
        if self._keeping is not None:
            self._keeping.cancel()

    async def piece(self, file: int, at: int) -> bytes:
        """A piece of a file, from its host."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waited_for = file, at, answer
        self._writer.write(script_line.read(file, at))
        return await answer

    async def _kept(self, files: Any) -> None:
        try:
            await self._keep(_files(self, files))
        except Exception as error:
            self.failure = error if isinstance(error, NodeFailed) else NodeFailed("RunnerError", type(error).__name__)
            # The host gives up what it waits with, and says that it did.
            self._writer.write(script_line.encoded(script_line.STOP))
        else:
            self._writer.write(script_line.encoded(script_line.KEPT))


@dataclass(frozen=True)
class FileThere:
    """One of them."""

    name: str
    size: int
    number: int
    there: LeftThere

    async def pieces(self) -> AsyncIterator[bytes]:
        """See ``Left``."""
        at = 0
        while at < self.size:
            piece = await self.there.piece(self.number, at)
            if not 0 < len(piece) <= min(PIECE_BYTES, self.size - at):
                raise changed(self.name)
            at += len(piece)
            yield piece


def _files(there: LeftThere, told: Any) -> list[FileThere]:
    found: list[FileThere] = []
    for number, file in enumerate(told):
        match file:
            case {"name": str(name), "size": int(size)} if size >= 0 and number < MOST_FILES:
                if not is_name(name):
                    raise NodeFailed(INVALID, misnamed(name))
                found.append(FileThere(name, size, number, there))
            case _:
                raise NodeFailed(INVALID, "the container of the script told of no files")
    return found
