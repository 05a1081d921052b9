"""What the API server's audit log says: a judge that the operator cannot talk to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

_OK = 200
_CREATED = 201


def created_jobs(audit_log: Path, namespace: str) -> Counter[str]:
    """Jobs whose creation in the namespace was answered with 201, by name.

    The request of a caller that is killed before its answer may be carried out all the same, and is logged as 504: so a
    Job can be missing here. ``created_pods`` has no such gap, as the Job controller is not killed.
    """
    events = _events(audit_log, namespace, "jobs", "create")
    return Counter(event["objectRef"]["name"] for event in events if event["responseStatus"]["code"] == _CREATED)


def deleted_jobs(audit_log: Path, namespace: str) -> list[str]:
    """Jobs of the namespace that somebody asked to delete, by name."""
    return [event["objectRef"]["name"] for event in _events(audit_log, namespace, "jobs", "delete")]


def created_pods(audit_log: Path, namespace: str) -> int:
    """How many pods the Job controller created in the namespace: how many executions there were of all attempts."""
    events = _events(audit_log, namespace, "pods", "create")
    return sum(
        event["responseStatus"]["code"] == _CREATED and event["user"]["username"].endswith(":job-controller")
        for event in events
    )


def last_write(audit_log: Path, resources: Collection[str], since: datetime, *, by: str) -> datetime:
    """When the last write that succeeded to one of these resources was answered, by a user whose name ends so.

    ``resources`` are plural names, with ``/status`` where that is meant. Raises ``ValueError`` where there was none.
    """
    return max(
        datetime.fromisoformat(event["stageTimestamp"])
        for path in sorted(audit_log.parent.glob("audit*.log"))
        for line in path.read_text().splitlines()
        if f'{by}"' in line and (event := json.loads(line))
        if _target(event) in resources
        and event["user"]["username"].endswith(by)
        and event.get("responseStatus", {}).get("code", 0) in (_OK, _CREATED)
        and datetime.fromisoformat(event["stageTimestamp"]) >= since
    )


def _target(event: dict[str, Any]) -> str:
    target = event.get("objectRef", {})
    return "/".join(part for part in (target.get("resource", ""), target.get("subresource")) if part)


def _events(audit_log: Path, namespace: str, resource: str, verb: str) -> Iterator[dict[str, Any]]:
    wanted = f'"{resource}"'
    for path in sorted(audit_log.parent.glob("audit*.log")):
        with path.open() as lines:
            for line in lines:
                if wanted not in line or namespace not in line:
                    continue
                event: dict[str, Any] = json.loads(line)
                target = event.get("objectRef", {})
                of_namespace = (target.get("resource"), target.get("namespace")) == (resource, namespace)
                if (
                    event["verb"] == verb
                    and of_namespace
                    and not target.get("subresource")
                    and "responseStatus" in event
                ):
                    yield event
