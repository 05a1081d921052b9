from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.base import Status
from headgate.api.budget import Budget
from headgate.api.workflow import WorkflowStatus
from headgate.cluster.cache import Cache
from headgate.cluster.client import Object
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import EVENTS, WORKFLOWS, WORKSPACES
from headgate.desired.keys import ApiResource
from headgate.desired.status import with_budget
from headgate.domain.conditions import Conditions, not_ready, ready, reconciling
from headgate.reconcile.status import StatusWriter, difference, transitions
from tests.builders import a_workflow, a_workspace
from tests.support.patches import patched
from tests.unit.cluster.fake_kube import FakeKube

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def trouble(reason: str = "QuotaNotFound", now: datetime = NOON) -> Conditions:
    return not_ready((), reason, "create it", 1, now, stalled=True)


def fine(now: datetime = NOON) -> Conditions:
    return ready((), "Reconciled", "all in place", 1, now)


def at_work(now: datetime = NOON) -> Conditions:
    return reconciling((), "Applying", "", 1, now)


class World:
    """A Workflow in the cluster and in the cache, and a writer of its status."""

    def __init__(self, before: Status | None = None, resource: ApiResource = WORKFLOWS) -> None:
        self.kube, self.cache, self.resource = FakeKube(), Cache(), resource
        body = a_workflow("nightly").manifest() if resource is WORKFLOWS else a_workspace("acme").manifest()
        if before is not None:
            body["status"] = before.to_wire()
        self.live = self.kube.put(resource, body)
        self.cache.upsert(resource, self.live)
        self.writer = StatusWriter(self.kube, self.cache, identity="operator-0", wall=lambda: LATER)

    async def write(self, status: Status) -> bool:
        return await self.writer.write(self.resource, self.live, status)

    @property
    def events(self) -> list[Object]:
        return [item for key, item in self.kube.objects.items() if key.kind == "Event"]


async def test_a_status_that_changed_is_written_and_known_at_once() -> None:
    world = World()

    assert await world.write(WorkflowStatus(version=2, conditions=fine()))

    key = WORKFLOWS.key("nightly", "acme")
    assert world.kube.verbs() == [f"patch {key}"]
    assert world.kube.objects[key]["status"]["version"] == 2
    assert world.cache.get(key) == world.kube.objects[key]


async def test_a_status_that_is_so_already_costs_nothing() -> None:
    status = WorkflowStatus(version=2, conditions=fine(), next_schedule_time=NOON)
    world = World(status)

    assert not await world.write(status)
    assert world.kube.requests == []


async def test_only_what_changed_is_sent() -> None:
    world = World(WorkflowStatus(version=1, version_hash="a", conditions=fine(), next_schedule_time=NOON))
    sent: list[Any] = []

    class Spy(FakeKube):
        async def merge_patch(self, *args: Any, **kwargs: Any) -> Object:
            sent.append((args[-1], kwargs))
            return copy.deepcopy(world.live)

    writer = StatusWriter(Spy(), world.cache, identity="operator-0", wall=lambda: LATER)
    await writer.write(WORKFLOWS, world.live, WorkflowStatus(version=2, version_hash="a", conditions=fine()))

    version = world.live["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version}, "status": {"version": 2, "nextScheduleTime": None}}
    assert sent == [(patch, {"subresource": "status"})]


async def test_an_object_that_was_deleted_meanwhile_is_left_at_that() -> None:
    world = World()
    world.kube.vanish(WORKFLOWS, "nightly", "acme")

    assert not await world.write(WorkflowStatus(version=2, conditions=trouble()))
    assert world.events == []


async def test_the_status_of_an_object_is_not_written_to_another_of_its_name() -> None:
    world = World()
    world.kube.vanish(WORKFLOWS, "nightly", "acme")
    world.kube.put(WORKFLOWS, a_workflow("nightly").manifest())

    with pytest.raises(ApiError) as raised:
        await world.write(WorkflowStatus(version=2))

    assert raised.value.is_conflict
    assert "status" not in world.kube.objects[WORKFLOWS.key("nightly", "acme")]


async def test_other_refusals_are_told() -> None:
    world = World()
    world.kube.fail("patch", Unreachable("away"))

    with pytest.raises(Unreachable):
        await world.write(WorkflowStatus(version=2, conditions=trouble()))
    assert world.events == []


async def test_trouble_makes_an_event() -> None:
    world = World()

    await world.write(WorkflowStatus(conditions=trouble()))

    (event,) = world.events
    assert event["metadata"]["namespace"] == "acme"
    assert event["metadata"]["name"].startswith("nightly.")
    assert event["involvedObject"] == {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "Workflow",
        "name": "nightly",
        "namespace": "acme",
        "uid": world.live["metadata"]["uid"],
    }
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "QuotaNotFound", "create it")
    assert event["lastTimestamp"] == "2026-03-01T12:05:00Z"
    assert event["reportingInstance"] == "operator-0"


async def test_events_about_cluster_scoped_objects_lie_in_the_default_namespace() -> None:
    world = World(resource=WORKSPACES)

    await world.write(Status(conditions=trouble()))

    (event,) = world.events
    assert event["metadata"]["namespace"] == "default"
    assert event["involvedObject"]["namespace"] == ""


async def test_a_long_name_makes_a_valid_name_of_an_event() -> None:
    world = World()
    world.live["metadata"]["name"] = "a" * 199 + "." + "b" * 20
    world.kube.put(WORKFLOWS, world.live)
    world.live["metadata"]["resourceVersion"] = str(world.kube.version)

    await world.write(WorkflowStatus(conditions=trouble()))

    (event,) = world.events
    assert ".." not in event["metadata"]["name"]
    assert len(event["metadata"]["name"]) <= 253


async def test_a_status_counts_even_where_its_event_cannot_be_written() -> None:
    world = World()
    world.kube.fail("create", ApiError(403, "Forbidden", "namespace is being terminated"))

    assert await world.write(WorkflowStatus(conditions=trouble()))


@pytest.mark.parametrize(
    ("before", "after", "event"),
    [
        ((), fine(), None),
        ((), at_work(), None),
        ((), trouble(), "Warning"),
        (fine(), trouble(), "Warning"),
        (at_work(), trouble(), "Warning"),
        (trouble("A"), trouble("B"), "Warning"),
        (trouble("A"), trouble("A", LATER), None),
        (trouble(), fine(), "Normal"),
        (fine(), fine(LATER), None),
        (at_work(), fine(), None),
        (fine(), at_work(), None),
        (trouble(), at_work(), None),
        (fine(), (), None),
        ((), trouble("Unschedulable"), None),
        ((), trouble("ContainerCreating"), None),
        ((), trouble("Runner"), None),
        (trouble("Runner"), trouble("RunnerSilent"), "Warning"),
        (trouble("Unschedulable"), trouble("ImagePullBackOff"), "Warning"),
        (trouble("ImagePullBackOff"), trouble("Unschedulable"), None),
        (trouble("ConcurrencyLimit"), fine(), None),
    ],
)
def test_events_tell_of_transitions_only(before: Conditions, after: Conditions, event: str | None) -> None:
    found = transitions(Status(conditions=before).to_wire(), Status(conditions=after))

    assert [kind for kind, _, _ in found] == ([] if event is None else [event])


@pytest.mark.parametrize(
    ("before", "after", "event"),
    [
        (None, "0", None),
        (None, "80", ("Warning", "BudgetWarning")),
        ("0", "79.99", None),
        ("0", "80", ("Warning", "BudgetWarning")),
        ("80", "99", None),
        ("80", "100", ("Warning", "BudgetExceeded")),
        ("0", "100", ("Warning", "BudgetExceeded")),
        ("100", "140", None),
        ("100", "85", ("Normal", "BudgetWarning")),
        ("100", "0", ("Normal", "WithinBudget")),
        ("80", "0", ("Normal", "WithinBudget")),
    ],
)
def test_what_is_spent_is_told_as_it_comes_near_is_reached_and_is_free_again(
    before: str | None, after: str, event: tuple[str, str] | None
) -> None:
    budget = Budget(monthly="100")
    former = with_budget(fine(), budget, Decimal(before), 1, NOON) if before is not None else fine()
    now = with_budget(former, budget, Decimal(after), 1, LATER)

    found = transitions(Status(conditions=former).to_wire(), Status(conditions=now))

    assert [(kind, reason) for kind, reason, _ in found] == ([] if event is None else [event])


def test_another_generation_of_the_same_trouble_is_no_transition() -> None:
    again = not_ready((), "QuotaNotFound", "create it now", 2, LATER, stalled=False)

    assert transitions(Status(conditions=trouble()).to_wire(), Status(conditions=again)) == []
    assert EVENTS.plural == "events"


_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner.filter(lambda value: value is not None), max_size=2)
        | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
    ),
    max_leaves=8,
)
_objects = st.dictionaries(st.sampled_from("abc"), _values, max_size=3)


def without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@given(_objects.map(without_nulls), _objects.map(without_nulls))
def test_the_difference_makes_one_status_of_another(before: Any, after: Any) -> None:
    assert patched(before, difference(before, after)) == after


@given(_objects.map(without_nulls))
def test_there_is_none_between_equals(status: Any) -> None:
    assert difference(status, copy.deepcopy(status)) == {}
