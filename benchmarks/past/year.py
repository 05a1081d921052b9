"""Rows of a year: the same ones for the same seed, number of runs and end."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

MONTHS = 12
SEED = 20261126
BATCH = 2000
NODES = ("extract", "load")
TEAMS = 10
_FAILED, _CANCELLED = 0.04, 0.05
_ERRORS = (
    "extract: ExitCode: exit code {code}",
    "extract: ExitCode: exit code {code}",
    "extract: Timeout: the attempt took longer than 5m",
    "load: OutOfMemory: the container used more memory than its limit",
    "load: HttpStatus: 503 from https://api-{host}.example.com/v1/orders",
    "load: ExitCode: could not connect to db-{host}.example.com:5432, connection refused",
    "load: DiskFull: no space left on device, volume data-{host}",
    "extract: ImagePull: registry.example.com/jobs/extract:{code} does not exist",
)
_VARIANTS = "89ab"
COLUMNS = {
    "workflow_executions": "workspace_id, id, started_at, workflow_id, version_id, status, trigger_kind, trigger_key,"
    " trigger_node, inputs, running_since, finished_at, duration_ms, error_message, labels",
    "workflow_execution_steps": "workspace_id, execution_id, started_at, node, attempt, phase, reason, message,"
    " attempt_started_at, attempt_finished_at",
    "execution_labels": "workspace_id, key, value, started_at, execution_id",
    "ended_labels": "workspace_id, key, value, status, started_at, execution_id, workflow_id",
}
"""What is written of each table, in the order of the lines."""


@dataclass(frozen=True)
class Tenant:
    """A workspace with its workflows: the id of each, and that of its version."""

    id: UUID
    workflows: tuple[tuple[UUID, UUID], ...]


@dataclass(frozen=True)
class Month:
    """A calendar month, as far as it belongs to the year."""

    start: datetime
    end: datetime
    runs: int

    @property
    def name(self) -> str:
        """As partitions are named."""
        return f"{self.start:%Y_%m}"

    @property
    def following(self) -> datetime:
        """When the next calendar month begins."""
        return (self.start + timedelta(days=32)).replace(day=1)


def months(end: datetime, runs: int) -> list[Month]:
    """The months up to ``end``, over which runs are spread evenly."""
    starts = [end.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)]
    for _ in range(MONTHS - 1):
        starts.insert(0, (starts[0] - timedelta(days=1)).replace(day=1))
    ends = [*starts[1:], end]
    whole = end - starts[0]
    shares = [round(runs * ((start - starts[0]) / whole)) for start in [*starts, end]]
    return [
        Month(start, until, later - earlier)
        for start, until, (earlier, later) in zip(starts, ends, itertools.pairwise(shares), strict=True)
    ]


def weights(workspaces: int) -> list[float]:
    """How often each workspace runs something: the first ones much more often than the last."""
    return list(itertools.accumulate(1 / (place + 20) for place in range(workspaces)))


def lines(month: Month, tenants: Sequence[Tenant]) -> Iterator[dict[str, list[str]]]:
    """The month's rows by table, in COPY's text form, the oldest first, some at a time."""
    chance = random.Random(f"{SEED}:{month.name}")
    shares = weights(len(tenants))
    step = (month.end - month.start) / max(1, month.runs)
    base = round(month.start.timestamp() * 1000)
    step_ms = step / timedelta(milliseconds=1)
    for first in range(0, month.runs, BATCH):
        count = min(BATCH, month.runs - first)
        rows: dict[str, list[str]] = {table: [] for table in COLUMNS}
        for place, tenant in enumerate(chance.choices(tenants, cum_weights=shares, k=count), first):
            _run(rows, chance, tenant, base + int((place + chance.random()) * step_ms), f"{month.name}-{place}")
        yield rows


def _run(rows: dict[str, list[str]], chance: random.Random, tenant: Tenant, at: int, name: str) -> None:
    bits = f"{chance.getrandbits(76):019x}"
    head = f"{at:012x}"
    run = f"{head[:8]}-{head[8:]}-7{bits[:3]}-{_VARIANTS[int(bits[3], 16) % 4]}{bits[4:7]}-{bits[7:]}"
    workflow, version = tenant.workflows[min(int(chance.expovariate(0.8)), len(tenant.workflows) - 1)]
    took = int(chance.lognormvariate(9.5, 1.0))
    started, ended = _time(at), _time(at + took)
    fate = chance.random()
    status, error = "Succeeded", r"\N"
    if fate < _FAILED:
        status = "Failed"
        error = chance.choice(_ERRORS).format(code=chance.randint(1, 127), host=chance.randint(1, 500))
    elif fate < _CANCELLED:
        status, error = "Cancelled", "cancelled by apikey: no longer needed"
    labels = {"team": f"team-{chance.randrange(TEAMS)}"}
    if chance.random() < 0.1:
        labels["order"] = f"order-{name}"
    told = ", ".join(f'"{key}": "{value}"' for key, value in labels.items())
    rows["workflow_executions"].append(
        f"{tenant.id}\t{run}\t{started}\t{workflow}\t{version}\t{status}\tapi\tpast:{name}\tby-hand\t{{}}\t{started}"
        f"\t{ended}\t{took}\t{error}\t{{{told}}}\n"
    )
    middle = _time(at + took // 2)
    last = error.partition(":")[0]
    for node, begun, done in ((NODES[0], started, middle), (NODES[1], middle, ended)):
        fails = status == "Failed" and node == last
        rows["workflow_execution_steps"].append(
            f"{tenant.id}\t{run}\t{started}\t{node}\t1\t{'Failed' if fails else 'Succeeded'}"
            f"\t{'ExitCode' if fails else ''}\t\t{begun}\t{done}\n"
        )
        if fails:
            break
    for key, value in labels.items():
        rows["execution_labels"].append(f"{tenant.id}\t{key}\t{value}\t{started}\t{run}\n")
        rows["ended_labels"].append(f"{tenant.id}\t{key}\t{value}\t{status}\t{started}\t{run}\t{workflow}\n")


def _time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:03d}+00"
