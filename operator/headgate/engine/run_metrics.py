"""Metrics of what tenants run. Labels are bounded: workspaces and phases, never runs."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram

from headgate.engine.types import FinishedRun

NO_WORKSPACE = ""
"""Label of a run whose namespace belongs to no Workspace any more."""
_BUCKETS = (0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)


class RunMetrics:
    """Counts runs as they end; from zero with every process, as Prometheus expects."""

    def __init__(self, registry: CollectorRegistry, workspace_of: Callable[[str], str | None]) -> None:
        """``workspace_of`` gives the Workspace that a namespace belongs to."""
        self._workspace_of = workspace_of
        self._finished = Counter(
            "headgate_runs_finished_total", "Runs that ended.", ["workspace", "phase"], registry=registry
        )
        self._duration = Histogram(
            "headgate_run_duration_seconds",
            "From the request for a run to its end.",
            ["workspace"],
            buckets=_BUCKETS,
            registry=registry,
        )

    def finished(self, run: FinishedRun) -> None:
        """Count the end of a run."""
        workspace = self._workspace_of(run.namespace) or NO_WORKSPACE
        self._finished.labels(workspace, run.phase.value).inc()
        self._duration.labels(workspace).observe(run.duration.total_seconds())
