"""The judges, compiled once and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from hack.tools import tool


@pytest.fixture(scope="session")
def cyclonus() -> Path:
    return tool("cyclonus")


@pytest.fixture(scope="session")
def promtool() -> Path:
    return tool("promtool")
