"""Gateways and runners of pools as processes of this machine, to be killed and started again; no cluster."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from headgate.domain.runner_task import POOL_NAME
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]


def own_port() -> int:
    """A port of 127.0.0.1 that nobody else is given while these tests run, also while who listens there is away."""
    held = socket.socket()
    # Linux gives none that is bound to whoever takes any port, or calls from any. Servers that name it may listen there
    # all the same, as they reuse addresses, as this socket does, which does not listen itself.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    atexit.register(held.close)
    return int(held.getsockname()[1])


@asynccontextmanager
async def believing_api_server(folder: Path) -> AsyncIterator[Path]:
    """The kubeconfig of an API server that believes every token of a runner, which is ``<namespace>/<pod>``."""

    async def review(request: web.Request) -> web.Response:
        namespace, _, pod = (await request.json())["spec"]["token"].partition("/")
        prefix = "authentication.kubernetes.io"
        extra = {f"{prefix}/pod-name": [pod], f"{prefix}/pod-uid": [f"uid-of-{pod}"]}
        user = {"username": f"system:serviceaccount:{namespace}:headgate-run", "extra": extra}
        return web.json_response({"status": {"authenticated": True, "audiences": ["headgate-runner"], "user": user}})

    async def namespace(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        labels = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": name}
        return web.json_response({"metadata": {"name": name, "labels": labels}})

    served = web.Application()
    served.router.add_post("/apis/authentication.k8s.io/v1/tokenreviews", review)
    served.router.add_get("/api/v1/namespaces/{name}", namespace)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    path = folder / "kubeconfig"
    named = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "played",
        "clusters": [{"name": "played", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}],
        "users": [{"name": "played", "user": {"token": "played"}}],
        "contexts": [{"name": "played", "context": {"cluster": "played", "user": "played"}}],
    }
    path.write_text(yaml.safe_dump(named))
    try:
        yield path
    finally:
        await runner.cleanup()


@dataclass
class Killable:
    """A process. What it says goes to a file, and its environment holds nothing but what is given here."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        known = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "operator")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.arguments], env={**known, **self.environment}, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL. Nothing happens where it never started."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@dataclass
class GatewayProcess:
    """One replica, always on the same port: those who call it go on when it was killed and is started again."""

    process: Killable
    url: str

    @classmethod
    def of(cls, folder: Path, kubeconfig: Path, database_url: str, **settings: str) -> GatewayProcess:
        """Not started yet. Settings are variables without ``HEADGATE_``."""
        port = own_port()
        environment = {
            "HEADGATE_DATABASE_URL": database_url,
            "HEADGATE_KUBECONFIG": str(kubeconfig),
            "HEADGATE_API_PORT": str(port),
            "HEADGATE_HTTP_PORT": "0",
            "HEADGATE_HTTP_HOST": "127.0.0.1",
            "HEADGATE_LOG_LEVEL": "warning",
            "HEADGATE_CALLS_PER_MINUTE": "1000000",
            **{f"HEADGATE_{name}": value for name, value in settings.items()},
        }
        made = Killable(["-m", "headgate.cli.entry", "gateway"], environment, folder / f"gateway-{port}.log")
        return cls(made, f"http://127.0.0.1:{port}")

    async def ready(self, http: aiohttp.ClientSession) -> None:
        """Return when it answers."""

        async def answers() -> bool:
            try:
                async with http.get(f"{self.url}/api/v1/openapi.json") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await eventually(answers, every=0.05, what=f"an answer of {self.url}")


@dataclass
class RunnerProcess:
    """A runner of a pool, which makes calls and no scripts. Started again it is another pod."""

    folder: Path
    gateway_url: str
    namespace: str = "acme"
    _pods: int = 0
    _process: Killable | None = None

    def start(self) -> None:
        self._pods += 1
        pod = f"{POOL_NAME}-{self.gateway_url.rpartition(':')[2]}-{self._pods:05d}"
        token = self.folder / pod
        token.write_text(f"{self.namespace}/{pod}")
        environment = {
            "HEADGATE_RUNNER_GATEWAY_URL": self.gateway_url,
            "HEADGATE_RUNNER_TOKEN_PATH": str(token),
            "HEADGATE_RUNNER_NETWORKS": '[{"cidr":"127.0.0.0/8"}]',
            "HEADGATE_RUNNER_LOG_LEVEL": "warning",
        }
        self._process = Killable(["-P", "-m", "headgate.runner"], environment, self.folder / f"{pod}.log")
        self._process.start()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
