"""How failures of the runner's code are told to the gateway."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate import runner
from headgate.runner.errors import NodeFailed
from headgate.runner.failure import failure_of
from tests.unit.runner.tasks import secrets


def reasons() -> Iterator[str]:
    """Those that the runner's code names."""
    for file in Path(runner.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="NodeFailed"), args=[ast.Constant(value=str(reason)), *_]):
                    yield reason


@pytest.mark.parametrize("reason", sorted(set(reasons())))
def test_every_reason_can_be_told(reason: str) -> None:
    """One that cannot is no end of the attempt: it was tried three times and told as the loss of three runners."""
    assert failure_of(NodeFailed(reason, "why"), secrets().redactor()).reason == reason
