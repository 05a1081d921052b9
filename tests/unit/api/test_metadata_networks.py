from __future__ import annotations

from headgate.api.network import METADATA_NETWORKS
from headgate.domain.addresses import METADATA_NETWORKS as NEVER_REACHABLE
from headgate.domain.addresses import reachable


def test_what_is_refused_at_admission_is_what_is_never_reachable() -> None:
    assert tuple(str(network) for network in NEVER_REACHABLE) == METADATA_NETWORKS
    assert [reachable(network) for network in METADATA_NETWORKS] == [None] * len(METADATA_NETWORKS)
