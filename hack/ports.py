"""A port for a server that keeps it for good."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress

_PORTS = range(20_000, 30_000)
"""Below what Linux gives to connections, and Kubernetes to Services, unless they are told otherwise."""


def free_port() -> int:
    """A port that nobody listens on now, and that the system gives to nobody who asks for any."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
