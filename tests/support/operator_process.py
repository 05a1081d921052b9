"""The operator as a process of this machine, against a real cluster: to be started, asked, and killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
"""Longer than the longest lease that a test asks for: one that was killed does not give its own back."""
_SHOWN_LINES = 10


@dataclass
class OperatorProcess:
    """One replica. Its log goes to a file; its environment holds nothing but what is given here."""

    kubeconfig: Path
    log: Path
    database_url: str | None = None
    name: str = "operator-1"
    extra: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    port: int = 0

    def start(self) -> OperatorProcess:
        """Start the process and return at once."""
        self.port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "HEADGATE_KUBECONFIG": str(self.kubeconfig),
            "HEADGATE_HTTP_PORT": str(self.port),
            "HEADGATE_HTTP_HOST": "127.0.0.1",
            "HEADGATE_POD_NAME": self.name,
            **({"HEADGATE_DATABASE_URL": self.database_url} if self.database_url else {}),
            "HEADGATE_OBJECT_STORE": f"file://{self.log.parent.resolve()}/objects",
            **self.extra,
        }
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "headgate.cli.entry", "operator"],
                env=environment,
                cwd=ROOT / "operator",
                stderr=log,
                stdout=log,
                stdin=subprocess.DEVNULL,
            )
        return self

    def wait_until_leading(self) -> OperatorProcess:
        """Return when it leads with filled caches. Raises when it ends or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                raise RuntimeError(f"the operator ended with {self.process.returncode}; see {self.log}")
            if self.leads():
                return self
            time.sleep(0.05)
        said = "\n".join(self.log.read_text().splitlines()[-_SHOWN_LINES:])
        raise TimeoutError(f"the operator does not lead after {START_SECONDS:g} s; {self.log} ends with\n{said}")

    def leads(self) -> bool:
        """Whether it leads and has filled its caches."""
        try:
            return self.metric("headgate_leader") == 1 and self.get("/readyz") == "ok\n"
        except (urllib.error.URLError, OSError):
            return False

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process; it must have been started."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL: no cleaning up, the lease is not given back."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code. Nothing happens when it never started or has ended."""
        if self._process is None:
            return 0
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def get(self, path: str) -> str:
        """The body of one of its pages."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
            return str(response.read().decode())

    def answers(self, path: str) -> int:
        """The status of one of its pages; 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def metrics(self) -> dict[str, float]:
        """All samples, by name with labels."""
        samples = (line.rpartition(" ") for line in self.get("/metrics").splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def metric(self, name: str) -> float:
        """One sample without labels; 0 when it is absent."""
        return self.metrics().get(name, 0.0)

    def writes(self) -> dict[str, float]:
        """Requests that change something, the Lease's apart, by verb and resource."""
        return {
            name: value
            for name, value in self.metrics().items()
            if name.startswith("headgate_kubernetes_requests_total")
            and 'resource="leases"' not in name
            and not any(f'verb="{verb}"' in name for verb in ("GET", "LIST", "WATCH"))
        }

    def log_lines(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
