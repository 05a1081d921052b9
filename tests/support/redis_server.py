"""A Redis of a test's own, which can be killed and started again."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis

from tests.support.waiting import until


@dataclass
class RedisServer:
    """Listens on a Unix socket, and keeps nothing unless it is told to."""

    folder: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def socket(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, with what it saved if it did, and wait until it answers."""
        program = shutil.which("redis-server")
        assert program is not None, "redis-server is missing: python3 -m hack.packages test"
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self.folder)]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([program, *options], stdout=log, stderr=log)
        until(self._answers, every=0.01, what="an answer of Redis")

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)

    def client(self) -> redis.Redis:
        """For tests that look, or meddle."""
        return redis.Redis(unix_socket_path=str(self.socket), decode_responses=True)

    def _answers(self) -> bool:
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False


@contextmanager
def own_redis() -> Iterator[RedisServer]:
    """A Redis that nobody else uses, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="headgate-redis-"))
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
