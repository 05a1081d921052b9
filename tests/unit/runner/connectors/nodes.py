"""Connectors as tests want them: on this machine, which is never allowed by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headgate.api.connectors import Connector
from headgate.runner.connectors.reach import Reach
from headgate.runner.networks import Networks
from tests.unit.runner.tasks import HERE

REACH = Reach(HERE)
INTERNET = Reach(Networks.parse(""))
"""What a runner of a workspace that says nothing reaches."""


def hidden(name: str) -> dict[str, Any]:
    """The key ``k`` of a Secret."""
    return {"secretKeyRef": {"name": name, "key": "k"}}


def connector(kind: str, **members: Any) -> Connector:
    return Connector.model_validate({kind: members})


def answering(*addresses: str) -> Callable[[str, int], Any]:
    """A resolver that is asked once."""
    left = [list(addresses)]

    async def resolve(_host: str, _port: int) -> list[str]:
        return left.pop()

    return resolve
