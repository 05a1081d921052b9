"""The operator as it is put together: who hears when Postgres goes and when it comes back."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from prometheus_client import CollectorRegistry

from headgate.app.compose import compose
from headgate.cluster.client import Object
from headgate.cluster.resources import JOBS, QUOTAS, WORKFLOW_RUNS, WORKSPACES
from headgate.desired.keys import ApiResource
from headgate.reconcile.database import DatabaseMonitor
from headgate.reconcile.keys import Key, Topic
from headgate.settings import OperatorSettings
from headgate.store.errors import DatabaseUnavailable
from tests.builders import a_quota, a_run, a_workspace
from tests.unit.cluster.fake_kube import FakeKube
from tests.unit.reconcile.fake_engine import FakeEngine
from tests.workload_builders import a_job

QUOTA, WORKSPACE, RUN = Key(Topic.QUOTA, "team"), Key(Topic.WORKSPACE, "acme"), Key(Topic.RUN, "open", "acme")


class Postgres(FakeEngine):
    """Answers, or does not."""

    up = True

    async def ping(self) -> None:
        if not self.up:
            raise DatabaseUnavailable("no route")

    def archiver(self, logs: Any, signing: Any = None) -> None:
        return None


class World:
    """A composed operator whose cache is filled, and whose queue nobody works on."""

    def __init__(self) -> None:
        self.kube, self.engine = FakeKube(), Postgres()
        self.operator = compose(
            OperatorSettings(), Mock(), self.kube, self.engine, Mock(), Mock(), CollectorRegistry(), Mock()
        )
        [self.monitor] = [
            part for loop in self.operator.loops if isinstance(part := getattr(loop, "__self__", None), DatabaseMonitor)
        ]

    def given(self, resource: ApiResource, item: Object) -> None:
        self.operator.cache.upsert(resource, self.kube.put(resource, item, generation=1))

    async def look(self, *, up: bool) -> set[Key]:
        """Ask Postgres once. Returns what is to be looked at because of its answer."""
        self.engine.up = up
        before = set(self.operator.queue._queued)
        await self.monitor.once()
        return self.operator.queue._queued - before


def filled() -> World:
    """With a plan, a workspace, a run that is open and one that has ended."""
    world = World()
    world.given(QUOTAS, a_quota("team").manifest())
    world.given(WORKSPACES, a_workspace("acme").manifest())
    world.given(WORKFLOW_RUNS, a_run("open").manifest())
    world.given(WORKFLOW_RUNS, a_run("ended").manifest() | {"status": {"phase": "Succeeded", "observedGeneration": 1}})
    return world


async def test_what_shows_postgres_state_is_looked_at_when_it_goes() -> None:
    world = filled()
    assert await world.look(up=True) == set(), "nothing changed"

    assert await world.look(up=False) == {WORKSPACE, RUN}


async def test_everything_but_runs_that_ended_is_looked_at_when_it_is_back() -> None:
    world = filled()
    await world.look(up=False)

    assert await world.look(up=True) == {QUOTA, WORKSPACE, RUN}


async def test_whatever_failed_for_want_of_it_is_looked_at_again() -> None:
    world = World()
    world.given(JOBS, a_job().complete().manifest())
    key = Key(Topic.JOB, a_job().manifest()["metadata"]["name"], "acme")
    world.engine.fail(DatabaseUnavailable("no route"))

    with pytest.raises(DatabaseUnavailable):
        await world.operator.queue.reconcile(key)

    assert await world.look(up=True) == {key}
