from __future__ import annotations

from pathlib import Path

import pytest

from hack.cluster import mounts, network
from hack.cluster.local import LocalCluster
from hack.cluster.state import State
from hack.steps import TroubleError


def test_a_cluster_that_another_checkout_runs_under_the_name_is_left_alone_and_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "exists", lambda _: True)
    monkeypatch.setattr(mounts, "exists", lambda _: True)
    monkeypatch.setattr(mounts, "owner", lambda _: Path("/elsewhere/.local/cluster"))

    with pytest.raises(TroubleError, match="belongs to /elsewhere") as raised:
        LocalCluster("headgate", tmp_path)._prepare(State())

    assert "`make down` in that checkout" in raised.value.advice
