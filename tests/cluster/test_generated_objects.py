"""Two thousand objects as hostile and careless people would write them, and what is repaired of them.

Their seed is printed; HEADGATE_TEST_SEED repeats one.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from typing import Any

import pytest

from hack.cluster.provider import ClusterProvider
from headgate.cluster.connection import connect
from headgate.cluster.errors import ApiError
from tests.builders import Builder, a_quota, a_run, a_workflow, a_workspace, container
from tests.support.cluster import Cluster, is_ready, unique
from tests.support.essence import differences, family
from tests.support.generated import Crowd
from tests.support.operator_process import OperatorProcess
from tests.support.submitting import KINDS, Outcome, figures, is_told, submit
from tests.support.waiting import eventually
from tests.support.watching import Watch, watching

SEED_VARIABLE = "HEADGATE_TEST_SEED"
CONDITION_SECONDS = 30.0
"""How long a condition is waited for. That it takes five at most is a figure, which the tests print."""
FEWEST_RUNS = 3
REPAIRED_OF_EACH_KIND = 7
ALIKE_SECONDS = 60.0
SHOWN = 20


@dataclass(frozen=True)
class Stage:
    """A healthy Workspace, and one in which generated Workflows go and nothing runs."""

    prefix: str
    watch: Watch
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def healthy(self) -> str:
        return f"{self.prefix}-healthy"

    @property
    def crowded(self) -> str:
        return f"{self.prefix}-crowded"

    def crowd(self, workflows: int, quotas: int, workspaces: int) -> Crowd:
        """So many objects: most Workspaces of them on plans that do not exist, or are generated."""
        plans = (self.prefix, *(f"{self.prefix}-absent-{number}" for number in range(3)), f"{self.prefix}-quotas-0")
        namespaces = (self.crowded, f"{self.crowded}-2", f"{self.crowded}-3")
        return Crowd(workflows, quotas, workspaces, self.prefix, namespaces, plans, others=(self.healthy, "default"))

    async def submit(self, crowd: Crowd, number: int) -> list[Outcome]:
        """Ask for all of the crowd, and note what has to be taken away."""
        outcomes = await submit(self.watch, crowd.objects(number), CONDITION_SECONDS)
        self.outcomes.extend(outcomes)
        return outcomes


@pytest.fixture
async def stage(cluster: Cluster, provider: ClusterProvider, operator: OperatorProcess) -> AsyncIterator[Stage]:
    """The stage; all that came to be on it is gone, or going, after the test."""
    prefix = unique("gen")
    await cluster.apply(a_quota(prefix))
    # Schedules of generated Workflows fire: that their runs wait keeps pods of images that nobody has away.
    closed = a_quota(f"{prefix}-closed").with_limits(maxWorkflows=100_000, maxExecutionsPerDay=0, maxConcurrentRuns=0)
    await cluster.apply(closed)
    async with watching(connect(str(provider.kubeconfig)), KINDS.values(), is_told) as watch:
        stage = Stage(prefix, watch)
        crowded = a_workspace(stage.crowded).with_quota(f"{prefix}-closed")
        for namespace in (stage.crowded, f"{stage.crowded}-2", f"{stage.crowded}-3"):
            crowded = crowded.with_namespace(namespace)
        await cluster.ready_workspace(crowded)
        await cluster.ready_workspace(a_workspace(stage.healthy).with_quota(prefix))
        yield stage
        await clean(cluster, stage)


async def clean(cluster: Cluster, stage: Stage) -> None:
    """Take away the Workspaces, with what is in them, and the Quotas."""
    await remove(cluster, "Workspace", [stage.crowded, stage.healthy, *names_of(stage.outcomes, "Workspace")])
    await remove(cluster, "Quota", [stage.prefix, f"{stage.prefix}-closed", *names_of(stage.outcomes, "Quota")])


async def remove(cluster: Cluster, kind: str, names: Iterable[str]) -> None:
    """Delete Workspaces or Quotas, all at once."""
    await asyncio.gather(
        *(
            cluster.remove(workspaces=(name,)) if kind == "Workspace" else cluster.remove(quotas=(name,))
            for name in names
        )
    )


def names_of(outcomes: Iterable[Outcome], kind: str) -> list[str]:
    """The names of the objects of a kind that were accepted."""
    return [outcome.name for outcome in outcomes if outcome.accepted and outcome.manifest["kind"] == kind]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[object], None]:
    """Tells people something, whatever becomes of the test: as an error, which comes out of pytest's workers too."""

    def write(what: object) -> None:
        with capsys.disabled():
            sys.stderr.write(f"\n{what}\n")

    return write


@pytest.fixture
def number(say: Callable[[object], None]) -> int:
    """The seed of the test's objects."""
    number = int(os.environ.get(SEED_VARIABLE) or secrets.randbelow(2**32))
    say(f"{SEED_VARIABLE}={number}")
    return number


async def test_each_of_two_thousand_is_refused_with_a_reason_or_told_of_while_the_healthy_run_on(
    cluster: Cluster, operator: OperatorProcess, stage: Stage, number: int, say: Callable[[object], None]
) -> None:
    pid, began = operator.process.pid, time.monotonic()
    over = asyncio.Event()
    running = asyncio.create_task(run_on(cluster, stage.healthy, over))

    outcomes = await stage.submit(stage.crowd(workflows=1500, quotas=300, workspaces=200), number)

    over.set()
    phases = await running
    say(f"{figures(outcomes)}\nin {time.monotonic() - began:.0f} s; {len(phases)} healthy runs")
    assert len(outcomes) == 2000
    expect_all_well(outcomes)
    assert set(phases) == {"Succeeded"}
    assert operator.running
    assert operator.process.pid == pid
    assert operator.answers("/healthz") == 200
    assert alarms(operator) == []


def expect_all_well(outcomes: Iterable[Outcome]) -> None:
    """Fail with the objects, whole, of which nobody said what is wrong with them, or that nothing is."""
    bad = [outcome for outcome in outcomes if not (outcome.refused or outcome.told)]
    if bad:
        pytest.fail(f"{len(bad)} are neither refused nor told of:\n" + "\n".join(map(str, bad[:SHOWN])), pytrace=False)


async def run_on(cluster: Cluster, namespace: str, over: asyncio.Event) -> list[str]:
    """Run a workflow again and again until it is over; the phases in which the runs ended."""
    await cluster.apply(a_workflow("fine", namespace).with_node("x", container(cluster.image, command=["true"])))
    phases: list[str] = []
    while not over.is_set() or len(phases) < FEWEST_RUNS:
        name = f"fine-{len(phases)}"
        await cluster.apply(a_run(name, namespace, "fine"))
        phases.append((await cluster.finished(name, namespace))["status"]["phase"])
    return phases


def alarms(operator: OperatorProcess) -> list[str]:
    """What the operator logged that nobody foresaw."""
    raised = [line for line in operator.log.read_text().splitlines() if "Traceback" in line]
    return raised + [str(line) for line in operator.log_lines() if line["level"] not in ("debug", "info", "warn")]


async def test_what_was_repaired_is_as_if_it_had_never_been_broken(
    cluster: Cluster, stage: Stage, number: int, say: Callable[[object], None]
) -> None:
    outcomes = await stage.submit(stage.crowd(workflows=200, quotas=40, workspaces=80), number)
    expect_all_well(outcomes)
    chosen = [outcome for kind in KINDS for outcome in to_repair(outcomes, kind, stage.prefix)]
    say([f"{outcome.manifest['kind']} {outcome.why_not_ready or 'odd'}" for outcome in chosen])
    assert {outcome.manifest["kind"] for outcome in chosen} == set(KINDS), "nothing to repair of some kind"

    found = await asyncio.gather(*(repaired(cluster, outcome, stage) for outcome in chosen))

    assert [difference for each in found for difference in each] == []


def to_repair(outcomes: Iterable[Outcome], kind: str, prefix: str) -> list[Outcome]:
    """A few that are not Ready, for as many reasons as there are; of Quotas, hardly one of which can be so, any.

    A Workspace that has namespaces already is none of them: it keeps those that its good spec does not name.
    """
    by_reason: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.told is None or outcome.manifest["kind"] != kind or not outcome.name.startswith(prefix):
            continue
        has_some = any(item.get("uid") for item in outcome.told["status"].get("namespaces", ()))
        if (outcome.why_not_ready and not has_some) or kind == "Quota":
            by_reason.setdefault(outcome.why_not_ready, []).append(outcome)
    rounds = (group for turn in zip_longest(*by_reason.values()) for group in turn if group is not None)
    return list(islice(rounds, REPAIRED_OF_EACH_KIND))


async def repaired(cluster: Cluster, outcome: Outcome, stage: Stage) -> list[str]:
    """Give an object a good spec, make another one with it from the start, and tell what stays different."""
    kind, namespace = KINDS[outcome.manifest["kind"]], str(outcome.manifest["metadata"].get("namespace", ""))
    name, twin = outcome.name, f"{outcome.name}-twin"
    good = good_one(kind.kind, twin, namespace, stage)
    stage.outcomes.append(replace(outcome, answer=replace(outcome.answer, body=good)))

    async def has_good_spec() -> bool:
        live = await cluster.kube.get(kind, name, namespace)
        try:
            await cluster.kube.replace(kind, {**live, "spec": good["spec"]})
        except ApiError as error:
            if not error.is_conflict:
                raise
            return False
        return True

    await eventually(has_good_spec)
    await cluster.apply(good)
    for each in (name, twin):
        await cluster.until(kind, each, namespace, is_ready)
    last: list[str] = []

    async def alike() -> bool:
        last[:] = differences(
            await family(cluster, kind, name, namespace), await family(cluster, kind, twin, namespace)
        )
        return not last

    try:
        await eventually(alike, within=ALIKE_SECONDS, every=1.0)
    except AssertionError:
        return last
    return []


def good_one(kind: str, name: str, namespace: str, stage: Stage) -> dict[str, Any]:
    """An object with which everything is right."""
    yearly = a_workflow(name, namespace).with_schedule("yearly", "0 0 1 1 *").with_input("rows", default=1)
    builders: Mapping[str, Builder[Any]] = {
        "Workflow": yearly.with_node("x", container(), after=["yearly", "by-hand"]),
        "Workspace": a_workspace(name).with_quota(stage.prefix).with_member(),
        "Quota": a_quota(name).with_limits(maxWorkflows=3).with_compute(pods="5"),
    }
    return builders[kind].manifest()
