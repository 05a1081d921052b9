"""The stage that all escapes are tried on, set once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.kube import Kube
from hack.test import Place
from tests.cluster.escape.pods import POD
from tests.cluster.escape.stage import Stage, staged
from tests.support.databases import TestDatabase
from tests.support.operator_process import LONG_LEASE, OperatorProcess


@pytest.fixture(scope="package")
def stage(place: Place, kube: Kube, operator_kubeconfig: Path, database: TestDatabase) -> Iterator[Stage]:
    """Two workspaces and their people; no operator runs while it is used."""
    log = place.logs / "escape-operator.log"

    def new_operator() -> OperatorProcess:
        return OperatorProcess(operator_kubeconfig, log, database.url, extra=LONG_LEASE)

    with staged(kube, operator_kubeconfig, new_operator, POD) as stage:
        yield stage
