"""Clients that ask for one thing after the other that is not there."""

from __future__ import annotations

from collections import defaultdict

from access_log import finish, requests

NOT_FOUND = 404
FEWEST_PATHS = 5


def main() -> None:
    """Count the paths that each client did not find."""
    missed: defaultdict[str, set[str]] = defaultdict(set)
    for request in requests():
        if request.status == NOT_FOUND:
            missed[request.client].add(request.path)
    scanners = [
        {"client": client, "paths": len(paths), "such_as": min(paths)}
        for client, paths in missed.items()
        if len(paths) >= FEWEST_PATHS
    ]
    finish({"clients": sorted(scanners, key=lambda found: -int(found["paths"]))[:10]})


main()
