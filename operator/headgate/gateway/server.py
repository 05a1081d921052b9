"""The HTTP server of the gateway, as long as the application is told to serve."""

from __future__ import annotations

import signal
import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from headgate.gateway.connection import Connection
from headgate.gateway.streams import Streams
from headgate.settings import GatewaySettings

_GRACE_SECONDS = 10
_BACKLOG = 2048
_UNREAD_SECONDS = 30.0


async def serve_requests(settings: GatewaySettings, app: ASGIApp, streams: Streams) -> None:
    """Serve until a signal tells to end, and the requests under way are answered."""
    server = _Server(_configuration(settings, app), streams)
    await server.serve([_listening(settings.http_host, settings.api_port)])


class _Server(uvicorn.Server):
    """Ends streams as soon as it is told to end: they would last as long as it lets them."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End serving, and not the process, as uvicorn would: what was counted is still to be written."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.close()
        await super().shutdown(sockets)


def _configuration(settings: GatewaySettings, app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.api_port,
        http=Connection,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=settings.keep_alive_seconds,
        limit_concurrency=settings.request_concurrency,
    )


def _listening(host: str, port: int) -> socket.socket:
    """A socket whose connections end when their other side takes nothing of what was sent for a while."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_UNREAD_SECONDS * 1000))
    return made
