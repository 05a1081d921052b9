"""The judge, compiled once and kept: the first time takes under a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from hack.tools import tool


@pytest.fixture(scope="session")
def cyclonus() -> Path:
    return tool("cyclonus")
