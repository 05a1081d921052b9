"""Commands about the workspace itself."""

from __future__ import annotations

from headgate.cli.output import Column
from headgate.cli.paging import pages
from headgate.cli.session import Session
from headgate.cli.text import columns, printable, time_of
from headgate.client.api import Usage

_WORKSPACES = (
    Column("NAME", lambda item: item["name"]),
    Column("ROLE", lambda item: item["role"]),
    Column("SUSPENDED", lambda item: str(item["suspended"])),
    Column("ID", lambda item: item["id"], wide=True),
)
_WORKFLOWS = (
    Column("NAMESPACE", lambda item: item["namespace"]),
    Column("NAME", lambda item: item["name"]),
    Column("VERSION", lambda item: str(item["version"])),
    Column("SUSPENDED", lambda item: str(item["suspended"])),
    Column("CHANGED", lambda item: time_of(item["versionCreatedAt"])),
    Column("HASH", lambda item: item["contentHash"][:12], wide=True),
)
_RECOMMENDATIONS = (
    Column("NAMESPACE", lambda item: item["namespace"]),
    Column("WORKFLOW", lambda item: item["workflow"]),
    Column("NODE", lambda item: item["node"]),
    Column("RULE", lambda item: item["rule"], wide=True),
    Column("RECOMMENDED", lambda item: item["message"]),
)


async def usage(session: Session) -> None:
    """Show what the workspace uses of its plan right now."""
    found = await session.client.get_usage(session.workspace)
    session.output.one({"name": session.workspace, **found}, lambda: _text(found))


async def workspaces(session: Session) -> None:
    """List the workspaces that you belong to."""
    items, _ = await pages(lambda cursor, limit: session.client.list_workspaces(cursor=cursor, limit=limit), None)
    session.output.list(items, _WORKSPACES)


async def workflows(session: Session) -> None:
    """List the workflows of the workspace."""
    items, _ = await pages(
        lambda cursor, limit: session.client.list_workflows(session.workspace, cursor=cursor, limit=limit), None
    )
    session.output.list(items, _WORKFLOWS)


async def recommendations(session: Session) -> None:
    """Show what could go better, as the last days have it."""
    found = await session.client.list_recommendations(session.workspace)
    session.output.list(found["items"], _RECOMMENDATIONS, "node")


def _text(found: Usage) -> str:
    together = any(item["usedTogether"] is not None for item in found["limits"])
    header = ("LIMIT", "USED", "OF", *(("USED BY ALL",) if together else ()))
    rows = [
        (item["name"], str(item["used"]), str(item["limit"]), *((str(item["usedTogether"] or 0),) if together else ()))
        for item in found["limits"]
    ]
    breaker = found["circuitBreaker"]
    lines = [f"{found['runningRuns']} runs are running, {found['pendingRuns']} wait"]
    if breaker["state"] != "Closed":
        until = f" until {time_of(breaker['retryAt'])}" if breaker["retryAt"] else ""
        lines.append(f"the circuit breaker is {breaker['state']} after {breaker['failures']} failures{until}")
    if (used := found["usedThisMonth"]) is not None:
        lines.append(
            f"of what they requested this month, {used['attempts']} attempts that were measured used"
            f" {used['cpuHoursUsed']} of {used['cpuHoursRequested']} CPU hours and {used['memoryGibHoursUsed']} of"
            f" {used['memoryGibHoursRequested']} GiB hours"
        )
    return "\n".join([*map(printable, lines), columns(header, rows)])
