"""Server errors: how many, where, and between which times."""

from __future__ import annotations

from collections import Counter

from access_log import finish, requests

SERVER_ERROR = 500


def main() -> None:
    """Count by class of status and by endpoint."""
    everything = list(requests())
    failed = [request for request in everything if request.status >= SERVER_ERROR]
    finish(
        {
            "statuses": dict(Counter(f"{request.status // 100}xx" for request in everything)),
            "per_mille": 1000 * len(failed) // len(everything),
            "endpoints": dict(Counter(request.endpoint for request in failed).most_common(5)),
            "first": failed[0].time.isoformat() if failed else None,
            "last": failed[-1].time.isoformat() if failed else None,
        }
    )


main()
