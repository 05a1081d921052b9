"""A run in words and columns."""

from __future__ import annotations

import json

from headgate.cli.output import Column
from headgate.cli.text import columns, lasted, printable, short, time_of
from headgate.client.api import Compute, Run, RunItem, RunNode


def name_of(run: Run | RunItem) -> str:
    """The workflow of a run, with its namespace."""
    return f"{run['namespace']}/{run['workflow']}"


def _why(run: RunItem) -> str:
    if run["errorMessage"]:
        return run["errorMessage"]
    return f"waits: {run['waiting']}" if run["waiting"] else ""


RUNS = (
    Column("RUN", lambda run: run["id"]),
    Column("WORKFLOW", name_of),
    Column("VERSION", lambda run: str(run["version"]), wide=True),
    Column("TRIGGER", lambda run: run["kind"], wide=True),
    Column("MODE", lambda run: run["mode"], wide=True),
    Column("PHASE", lambda run: run["phase"]),
    Column("STARTED", lambda run: time_of(run["startedAt"])),
    Column("DURATION", lambda run: lasted(run["startedAt"], run["finishedAt"])),
    Column("LABELS", lambda run: ",".join(f"{key}={value}" for key, value in run["labels"].items()), wide=True),
    Column("WHY", _why),
)
"""The columns of a list of runs."""


def run_text(run: Run) -> str:
    """All that is to be said of a run."""
    title = f"{name_of(run)} version {run['version']}: {run['phase']} {lasted(run['startedAt'], run['finishedAt'])}"
    what = "run" if run["mode"] == "Normal" else f"{run['mode']} run"
    lines = [title.rstrip(), f"{what} {run['id']}, started {time_of(run['startedAt'])} by {run['kind']}"]
    if run["labels"]:
        lines.append("labels " + ", ".join(f"{key}={value}" for key, value in run["labels"].items()))
    if run["cancelling"]:
        lines.append("it is being cancelled")
    if run["errorMessage"]:
        lines.append(run["errorMessage"])
    text = "\n".join(printable(line) for line in lines)
    if run["nodes"]:
        header = ("NODE", "PHASE", "ATTEMPT", "STARTED", "DURATION", "USED", "WHY", "OUTPUT")
        text += "\n\n" + columns(header, map(_row, run["nodes"]))
    waits = [
        f"{item['node'] or 'it'} waits{_until(item['until'])}: {item['reason']}: {item['message']}"
        for item in run["waitingFor"]
    ]
    given = [f"given {name}: {_value(value)}" for name, value in (run["inputs"] or {}).items()]
    return "\n".join([text, *([""] if waits or given else []), *map(printable, waits), *given, *outcome_lines(run)])


def outcome_lines(run: Run) -> list[str]:
    """What the run gave."""
    return [f"{name}: {_value(value)}" for name, value in (run["outputs"] or {}).items()]


def end_text(run: Run) -> str:
    """How it ended, for whoever saw how it came to that."""
    took = lasted(run["startedAt"], run["finishedAt"])
    lines = [f"{name_of(run)} {run['id']} {run['phase']}{f' after {took}' if took else ''}"]
    if run["errorMessage"]:
        lines.append(run["errorMessage"])
    lines += [
        f"{node['id']} failed: {': '.join(part for part in (node['reason'], node['message']) if part)}"
        for node in run["nodes"]
        if node["phase"] == "Failed"
    ]
    return "\n".join([*map(printable, lines), *outcome_lines(run)])


def _until(text: str | None) -> str:
    return f" until {time_of(text)}" if text else ""


def _row(node: RunNode) -> tuple[str, ...]:
    why = " ".join(part for part in (node["reason"], node["message"]) if part)
    output = node.get("output")
    return (
        node["id"],
        node["phase"],
        str(node["attempt"]),
        time_of(node["startedAt"]),
        lasted(node["startedAt"], node["finishedAt"]),
        _use(node.get("used"), node.get("requested")),
        why,
        "" if output is None else short(_value(output)),
    )


def _use(used: Compute | None, requested: Compute | None) -> str:
    """What was used in the mean of what was requested; a question mark where that is not known."""
    if used is None and requested is None:
        return ""
    cpu = [f"{float(item['cpu']):.3g}" if item is not None else "?" for item in (used, requested)]
    memory = [f"{item['memoryBytes'] / 2**20:.0f}" if item is not None else "?" for item in (used, requested)]
    return f"{'/'.join(cpu)} CPU {'/'.join(memory)} MiB"


def _value(value: object) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
