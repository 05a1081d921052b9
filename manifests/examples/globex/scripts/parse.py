"""What the log covers, and how much of it can be read."""

from __future__ import annotations

from access_log import finish, lines, requests


def main() -> None:
    """Read every line."""
    readable = list(requests())
    finish(
        {
            "requests": len(readable),
            "unreadable": len(lines()) - len(readable),
            "from": readable[0].time.isoformat(),
            "to": readable[-1].time.isoformat(),
        }
    )


main()
