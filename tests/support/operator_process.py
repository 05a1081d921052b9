"""The operator as a process of this machine, against a real cluster: to be started, asked, and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from headgate.operate import EXIT_LOST_LEADERSHIP

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
"""Longer than the longest lease that a test asks for: one that was killed does not give its own back."""
LONG_LEASE: Mapping[str, str] = MappingProxyType({"HEADGATE_LEASE_DURATION_SECONDS": "60"})
"""What tests give that are not about leases: one of 15 seconds may be lost on a machine that is busy with tests."""
_STOP_SECONDS = 90.0
"""Longer than what is asked of a busy API server at the end may take."""
_SHOWN_LINES, _SHOWN_CHARACTERS = 10, 400


@dataclass
class OperatorProcess:
    """One replica. Its log goes to a file; its environment holds nothing but what is given here.

    Where it ends because it could not renew its lease, it is started again, as a kubelet would do: on a machine that
    is busy with tests that happens. After any other end it stays away, so that a test sees it.
    """

    kubeconfig: Path
    log: Path
    database_url: str | None = None
    name: str = "operator-1"
    extra: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _log_began: int = 0
    _port: int = 0
    restarts: int = 0
    """How often it was started again after it had lost its lease."""
    _told_to_end: bool = False
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> OperatorProcess:
        """Start the process and return at once."""
        self._told_to_end = False
        threading.Thread(target=self._start_again, args=(self._spawn(),), daemon=True).start()
        return self

    def _start_again(self, process: subprocess.Popen[bytes]) -> None:
        while process.wait() == EXIT_LOST_LEADERSHIP:
            with self._changing:
                if self._told_to_end:
                    return
                self.restarts += 1
                process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "HEADGATE_KUBECONFIG": str(self.kubeconfig),
            "HEADGATE_HTTP_PORT": "0",
            "HEADGATE_HTTP_HOST": "127.0.0.1",
            "HEADGATE_POD_NAME": self.name,
            **({"HEADGATE_DATABASE_URL": self.database_url} if self.database_url else {}),
            "HEADGATE_OBJECT_STORE": f"file://{self.log.parent.resolve()}/objects",
            **self.extra,
        }
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_began, self._port = log.tell(), 0
            self._process = subprocess.Popen(
                [sys.executable, "-m", "headgate.cli.entry", "operator"],
                env=environment,
                cwd=ROOT / "operator",
                stderr=log,
                stdout=log,
                stdin=subprocess.DEVNULL,
            )
        return self._process

    def wait_until_leading(self) -> OperatorProcess:
        """Return when it leads with filled caches. Raises when it ends or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.running and self.process.returncode != EXIT_LOST_LEADERSHIP:
                raise RuntimeError(f"the operator ended with {self.process.returncode}; see {self.log}")
            if self.leads():
                return self
            time.sleep(0.05)
        raise TimeoutError(f"the operator does not lead after {START_SECONDS:g} s: {self.state()}")

    def state(self) -> str:
        """How it is, and what it logged last, Events that could not be written apart."""
        code = None if self._process is None else self._process.poll()
        is_now = "not started" if self._process is None else "running" if code is None else f"ended with {code}"
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        said = [line[:_SHOWN_CHARACTERS] for line in lines if '"could not write an Event"' not in line][-_SHOWN_LINES:]
        return "\n".join([f"{self.name} is {is_now}, started again {self.restarts} times; {self.log} ends with", *said])

    @property
    def port(self) -> int:
        """Where it listens. Raises ``ConnectionError`` as long as it does not."""
        if not self._port:
            with self.log.open("rb") as log:
                log.seek(self._log_began)
                said = [json.loads(line) for line in log if line.startswith(b"{") and line.endswith(b"\n")]
            ports = [line["metadata"]["http_port"] for line in said if line["message"] == "standing by"]
            if not ports:
                raise ConnectionError(f"{self.name} does not listen yet")
            self._port = ports[-1]
        return self._port

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
        with self._changing:
            self._told_to_end = True
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code. Nothing happens when it never started or has ended."""
        if self._process is None:
            return 0
        with self._changing:
            self._told_to_end = True
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=_STOP_SECONDS)
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
