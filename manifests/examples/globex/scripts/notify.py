"""The message for a person: a page, or a ticket. Where it would be sent, it is written to the log."""

from __future__ import annotations

import json
import os
import sys

from access_log import finish


def main(channel: str) -> None:
    """Say what was found, the worst first."""
    errors = json.loads(os.environ["ERRORS"])
    text = []
    if errors["endpoints"]:
        worst, count = next(iter(errors["endpoints"].items()))
        text.append(f"{errors['per_mille']} of 1000 requests failed, {count} of them {worst}, since {errors['first']}")
    text += [f"{found['endpoint']}: p95 is {found['p95_ms']} ms" for found in json.loads(os.environ["SLOW"])]
    text += [
        f"{found['client']} probed {found['paths']} paths, such as {found['such_as']}"
        for found in json.loads(os.environ["SCANNERS"])
    ]
    finish({"channel": channel, "text": text})


main(sys.argv[1])
