"""What a script left in its folder for files: looked at without believing any of it, and read where it lies."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from headgate.domain.artifacts import INVALID, MOST_FILES, is_name, misnamed
from headgate.runner.errors import NodeFailed

PIECE_BYTES = 524_288
"""Of a file at once."""
_NO_FOLDER = "$HEADGATE_ARTIFACTS is no folder any more"


class Left(Protocol):
    """A file that a script left."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def size(self) -> int:
        """In bytes, when the script had ended."""

    def pieces(self) -> AsyncIterator[bytes]:
        """All of it from the beginning, each time. Raises ``NodeFailed`` where it is not as long as it was."""


@dataclass(frozen=True)
class OpenFile:
    """A file that is open: whatever is done to its name, this is what was left."""

    name: str
    size: int
    descriptor: int

    def read(self, at: int) -> bytes:
        """The piece that begins there. Raises ``NodeFailed``. Blocks."""
        piece = os.pread(self.descriptor, min(PIECE_BYTES, self.size - at), at)
        if not piece:
            raise changed(self.name)
        return piece

    async def pieces(self) -> AsyncIterator[bytes]:
        """See ``Left``."""
        at = 0
        while at < self.size:
            piece = await asyncio.to_thread(self.read, at)
            at += len(piece)
            yield piece


Keep = Callable[[Sequence[Left]], Awaitable[None]]
"""Keeps the files that a program left; called once it has succeeded, if it left any. Raises ``NodeFailed``."""
KeepOpen = Callable[[Sequence[OpenFile]], Awaitable[None]]
"""``Keep`` for files that lie here."""


async def keep_none(_files: Sequence[Left]) -> None:
    """Of whoever has nowhere to keep them."""


@contextmanager
def opened(folder: Path) -> Iterator[tuple[OpenFile, ...]]:
    """The files of a folder, by name, open as long as this lasts. Raises ``NodeFailed`` where one is not to be kept.

    A script may have put there anything, and in place of the folder too: no link is followed, and nothing opened that
    is no plain file.
    """
    files: list[OpenFile] = []
    try:
        within = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise NodeFailed(INVALID, _NO_FOLDER) from None
    try:
        for name in _names(within):
            files.append(_open(within, name))  # noqa: PERF401 - those that are open are closed, wherever it ends
        yield tuple(files)
    finally:
        for file in files:
            os.close(file.descriptor)
        os.close(within)


def _names(folder: int) -> list[str]:
    found: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_name(entry.name):
                raise NodeFailed(INVALID, misnamed(entry.name))
            found.append(entry.name)
            if len(found) > MOST_FILES:
                raise NodeFailed(INVALID, f"more than {MOST_FILES} files were left in $HEADGATE_ARTIFACTS")
    return sorted(found)


def _open(folder: int, name: str) -> OpenFile:
    try:
        # Without waiting for whoever writes to a pipe, and without becoming the owner of a terminal.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError:
        raise _no_file(name) from None
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise _no_file(name)
    return OpenFile(name, about.st_size, descriptor)


def _no_file(name: str) -> NodeFailed:
    return NodeFailed(INVALID, f"{name} in $HEADGATE_ARTIFACTS is no plain file that can be read")


def changed(name: str) -> NodeFailed:
    """The end of an attempt whose file became shorter while it was read."""
    return NodeFailed(INVALID, f"{name} in $HEADGATE_ARTIFACTS was changed after the script had ended")
