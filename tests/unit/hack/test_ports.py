"""A port that is kept is one that nobody else is given."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hack.ports import free_port


def test_the_system_gives_it_to_no_connection() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())

    assert not first <= free_port() <= last


def test_nobody_listens_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    one = free_port()
    with socket.create_server(("127.0.0.1", one)):
        other = free_port()
        answers = iter((one, other))
        monkeypatch.setattr("secrets.choice", lambda _: next(answers))

        assert free_port() == other
