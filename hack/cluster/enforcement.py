"""Leaves no trace of the NetworkPolicies that kube-router enforced: with its process its rules have to go.

Its own `--cleanup-config` is of no use here: it takes everything of IPVS for its own, and crashes where there is none.
"""

from __future__ import annotations

import re

from hack.cluster.paths import Layout
from hack.shell import run

_OURS = re.compile(r"KUBE-(ROUTER|POD-FW|NWPLCY)-")


def clear(layout: Layout) -> None:
    """Removes the rules and sets; those of kubelet and kube-proxy stay."""
    inside = ("nsenter", f"--net=/run/netns/{layout.netns}")
    for family in ("iptables", "ip6tables"):
        rules = run(*inside, f"{family}-save").splitlines(keepends=True)
        kept = [line for line in rules if not _OURS.search(line)]
        if kept != rules:
            run(*inside, f"{family}-restore", stdin="".join(kept))
    # Nothing else in the namespace has sets.
    run(*inside, "ipset", "destroy")
