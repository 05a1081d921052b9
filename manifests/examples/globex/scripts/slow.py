"""Endpoints of which 5 % of the requests take too long."""

from __future__ import annotations

import os
from collections import defaultdict

from access_log import finish, requests

FEWEST_REQUESTS = 10


def p95(times: list[int]) -> int:
    """The time that 95 % of the requests do not exceed (nearest rank)."""
    return sorted(times)[-(-len(times) * 95 // 100) - 1]


def main() -> None:
    """Judge each endpoint that is asked often enough."""
    limit = int(os.environ["SLOW_MS"])
    times: defaultdict[str, list[int]] = defaultdict(list)
    for request in requests():
        times[request.endpoint].append(request.milliseconds)
    judged = {endpoint: p95(found) for endpoint, found in times.items() if len(found) >= FEWEST_REQUESTS}
    slow = [{"endpoint": endpoint, "p95_ms": value} for endpoint, value in judged.items() if value > limit]
    finish({"endpoints": sorted(slow, key=lambda found: -int(found["p95_ms"]))[:10]})


main()
