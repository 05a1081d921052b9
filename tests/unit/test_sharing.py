"""How tests are shared out between processes, and clusters with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from hack.record import ROOT
from tests.support.sharing import LAST, SECONDS, ClustersApart, Owners, chosen, clusters, is_of_cluster, unit, worth

ESCAPES = [f"tests/cluster/escape/test_{name}.py" for name in ("objects", "pods")]
LONG = [each for each in SECONDS if each.endswith(".py")]
OTHERS = [f"tests/unit/test_{number}.py" for number in range(30)]


@dataclass(eq=False)
class Process:
    """One that runs what it is told, in its order."""

    name: str
    cluster: int | None
    shutting_down: bool = False
    waiting: list[int] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)

    @property
    def workerinput(self) -> dict[str, Any]:
        return {"cluster": self.cluster}

    @property
    def gateway(self) -> Any:
        return SimpleNamespace(id=self.name)

    def send_runtest_some(self, indices: list[int]) -> None:
        self.waiting += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def may_run(self) -> bool:
        """A test is begun when the one after it is known, or that there is none."""
        return len(self.waiting) > (0 if self.shutting_down else 1)


class Session:
    """A session of so many processes, which ends when nothing can go on."""

    def __init__(self, processes: int, files: Iterable[str], tests: int = 3) -> None:
        self.owners = Owners()
        self.collected = [f"{file}::test_{number}" for file in files for number in range(tests)]
        option = SimpleNamespace(loadscopereorder=True)
        self.scheduler = ClustersApart(
            SimpleNamespace(option=option, getvalue=lambda _: ["popen"] * processes)  # type: ignore[arg-type]
        )
        self.processes = [self.started(f"gw{number}", processes) for number in range(processes)]
        for process in self.processes:
            self.scheduler.add_node_collection(process, self.collected)
        self.scheduler.schedule()

    def started(self, name: str, processes: int) -> Process:
        process = Process(name, self.owners.give(name, processes))
        self.scheduler.add_node(process)
        return process

    def step(self) -> bool:
        """Every process that can runs one test; whether there was any."""
        able = [process for process in self.processes if process.may_run]
        for process in able:
            index = process.waiting.pop(0)
            process.ran.append(self.collected[index])
            self.scheduler.mark_test_complete(process, index)
        return bool(able)

    def run(self) -> list[list[str]]:
        """The units of each process, in their order."""
        while self.step():
            pass
        return [list(dict.fromkeys(map(unit, process.ran))) for process in self.processes]

    def crash(self, number: int) -> None:
        """A process ends in the middle, and another takes its place."""
        old = self.processes[number]
        old.shutting_down = True
        self.owners.take_back(old.name)
        self.scheduler.remove_node(old)
        self.processes[number] = self.started("gw9", len(self.processes))
        self.scheduler.add_node_collection(self.processes[number], self.collected)
        self.scheduler.schedule()


def of_cluster(units: list[str]) -> list[str]:
    return [each for each in units if is_of_cluster(each)]


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_each_test_runs_once(processes: int) -> None:
    session = Session(processes, [*ESCAPES, *LONG, *OTHERS])

    session.run()

    ran = [nodeid for process in session.processes for nodeid in process.ran]
    assert sorted(ran) == sorted(session.collected)


def test_two_processes_have_a_cluster_each_and_the_third_runs_what_needs_none() -> None:
    first, second, third = Session(3, [*ESCAPES, *LONG, *OTHERS]).run()

    assert of_cluster(first)
    assert of_cluster(second)
    assert not of_cluster(third)


def test_who_has_a_cluster_runs_no_others_before_those_of_the_cluster() -> None:
    for units in Session(3, [*ESCAPES, *LONG, *OTHERS]).run()[:2]:
        assert units[: len(of_cluster(units))] == of_cluster(units)


def test_with_two_processes_there_is_one_cluster() -> None:
    first, second = Session(2, [*ESCAPES, *LONG, *OTHERS]).run()

    assert len(of_cluster(first)) == len(LONG) + 1
    assert not of_cluster(second)


def test_a_second_cluster_is_not_brought_up_for_a_few_tests() -> None:
    first, second, _ = Session(3, ["tests/cluster/test_a.py", "tests/cluster/test_b.py", *OTHERS]).run()

    assert len(of_cluster(first)) == 2
    assert not of_cluster(second)
    assert worth([*LONG, *OTHERS]) == 2


def test_where_only_the_cluster_is_left_others_end() -> None:
    session = Session(3, LONG)

    assert session.processes[2].shutting_down
    assert session.run()[2] == []


def test_what_is_tried_on_one_stage_is_tried_by_one_process() -> None:
    shares = Session(3, [*ESCAPES, *LONG, *OTHERS]).run()

    assert unit(f"{ESCAPES[0]}::test_x") == unit(f"{ESCAPES[1]}::test_y[z]")
    assert sum("tests/cluster/escape/" in units for units in shares) == 1


def test_nothing_comes_after_what_takes_away_what_all_share() -> None:
    ending = [of_cluster(units) for units in Session(3, [LAST, *ESCAPES, *LONG, *OTHERS]).run() if LAST in units]

    assert [units[-1] for units in ending] == [LAST]


def test_the_longest_come_first() -> None:
    units = ["tests/cluster/test_breaker.py", LAST, "tests/cluster/test_soak.py", "tests/cluster/test_fire.py"]
    order = []
    while found := chosen(units, with_cluster=True):
        units.remove(found)
        order.append(found.rpartition("_")[2])

    assert order == ["soak.py", "fire.py", "breaker.py", "uninstall.py"]


def test_others_come_as_they_are_collected() -> None:
    assert chosen([*LONG, "tests/component/test_b.py", "tests/component/test_a.py"], with_cluster=False) == (
        "tests/component/test_b.py"
    )


def test_one_that_takes_the_place_of_another_has_its_cluster_and_does_what_it_left() -> None:
    session = Session(3, [*ESCAPES, *LONG, *OTHERS])
    session.step()
    number = session.processes[1].cluster

    session.crash(1)
    session.run()

    assert session.processes[1].cluster == number == 1
    assert of_cluster(list(map(unit, session.processes[1].ran)))
    assert not session.scheduler.workqueue


@pytest.mark.parametrize(("processes", "expected"), [(1, 1), (2, 1), (3, 2), (8, 2)])
def test_one_process_is_left_for_tests_that_need_no_cluster(processes: int, expected: int) -> None:
    owners = Owners()

    given = [owners.give(f"gw{number}", processes) for number in range(processes)]

    assert clusters(processes) == expected
    assert given == [*range(expected), *[None] * (processes - expected)]


def test_what_is_known_to_take_long_is_there() -> None:
    assert [path for path in (*SECONDS, LAST) if not (ROOT / path).exists()] == []
