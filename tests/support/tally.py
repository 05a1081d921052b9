"""Counts what workloads say of themselves, on an address that pods reach."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Tally:
    """How often each path was asked for."""

    url: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, path: str) -> None:
        """Once more."""
        with self._lock:
            self.counts[path.strip("/")] += 1


@contextmanager
def tallying(address: str) -> Iterator[Tally]:
    """Serve for as long as the block takes. Whoever is answered has been counted."""
    tally = Tally()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tally.add(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the parameter's name is given
            """Nothing is logged."""

    server = ThreadingHTTPServer((address, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    tally.url = f"http://{address}:{server.server_address[1]}"
    try:
        yield tally
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
