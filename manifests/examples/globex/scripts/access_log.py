"""Reads a web server's access log in the combined format, with the request time at the end of each line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

LINE = re.compile(
    r'(?P<client>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" '
    r'(?P<status>\d{3}) \d+ "[^"]*" "[^"]*" (?P<seconds>\d+\.\d+)'
)


@dataclass(frozen=True)
class Request:
    """One line of the log."""

    client: str
    time: datetime
    method: str
    path: str
    status: int
    milliseconds: int

    @property
    def endpoint(self) -> str:
        """The path without query, and without the numbers that differ from request to request."""
        return f"{self.method} {re.sub('/[0-9]+', '/{id}', self.path.split('?')[0])}"


def lines() -> list[str]:
    """The log as it is."""
    log = Path(os.environ.get("DATA", "/data")) / "access.log"
    return log.read_text(encoding="utf-8").splitlines()


def requests() -> Iterator[Request]:
    """The lines that can be read."""
    for line in lines():
        found = LINE.fullmatch(line)
        if found:
            yield Request(
                client=found["client"],
                time=datetime.strptime(found["time"], "%d/%b/%Y:%H:%M:%S %z"),
                method=found["method"],
                path=found["path"],
                status=int(found["status"]),
                milliseconds=round(float(found["seconds"]) * 1000),
            )


def finish(result: dict[str, Any]) -> None:
    """Hand the result to the nodes that follow, and show it in the log."""
    Path(os.environ["HEADGATE_OUTPUT"]).write_text(json.dumps(result, separators=(",", ":")), encoding="utf-8")
    print(json.dumps(result, indent=2))
