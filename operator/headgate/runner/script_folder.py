"""The folder that a script has to itself: what it is executed from, works in and leaves its results in."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.engine.bounds import OUTPUT_BYTES
from headgate.runner.errors import NodeFailed


@dataclass(frozen=True)
class ScriptFolder:
    """Where things lie in it. A script may put anything in place of any of them."""

    path: Path
    """The script's home, and where its temporary files go."""

    @property
    def source(self) -> Path:
        """The script itself."""
        return self.path / "source"

    @property
    def work(self) -> Path:
        """The folder in which it begins."""
        return self.path / "work"

    @property
    def output(self) -> Path:
        """``$HEADGATE_OUTPUT``, which is not there before the script writes it."""
        return self.path / "output"

    @property
    def artifacts(self) -> Path:
        """``$HEADGATE_ARTIFACTS``, the folder in which it leaves files."""
        return self.path / "artifacts"

    def written(self) -> Any:
        """What the script wrote to its output, and None where it wrote nothing. Raises ``NodeFailed``.

        Only a plain file is read, and only so much of it as an output may have.
        """
        try:
            descriptor = os.open(self.output, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError:
            raise NodeFailed("InvalidOutput", "$HEADGATE_OUTPUT is no plain file") from None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NodeFailed("InvalidOutput", "$HEADGATE_OUTPUT is no plain file")
            raw = os.read(descriptor, OUTPUT_BYTES + 1)
        finally:
            os.close(descriptor)
        if len(raw) > OUTPUT_BYTES:
            raise NodeFailed("InvalidOutput", f"more than {OUTPUT_BYTES} bytes were written to $HEADGATE_OUTPUT")
        if not raw.strip():
            return None
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise NodeFailed("InvalidOutput", f"what was written to $HEADGATE_OUTPUT is not JSON: {error}") from None


@asynccontextmanager
async def script_folder(source: str) -> AsyncIterator[ScriptFolder]:
    """A folder of a script's own, which is gone afterwards with all that was put there."""
    folder = ScriptFolder(Path(tempfile.mkdtemp(prefix="script-")))
    try:
        folder.artifacts.mkdir()
        folder.work.mkdir()
        folder.source.write_text(source)
        yield folder
    finally:
        if not _removed(folder):
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder.path, ignore_errors=True))


def _removed(folder: ScriptFolder) -> bool:
    """Whether the folder is gone; it is where the script left nothing in it, and a thread would take longer."""
    try:
        folder.source.unlink(missing_ok=True)
        folder.output.unlink(missing_ok=True)
        for empty in (folder.artifacts, folder.work, folder.path):
            empty.rmdir()
    except OSError:
        return False
    return True
