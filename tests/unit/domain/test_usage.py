from __future__ import annotations

from headgate.api.quota import Limits
from headgate.domain.amounts import Amount
from headgate.domain.usage import RunUsage, beyond, of_compute, of_runs


def test_runs_are_told_beside_their_limits() -> None:
    used = {use.name: (use.used, use.limit) for use in of_runs(Limits(max_concurrent_runs=5), RunUsage(3, 2, 7, 1))}

    assert used["maxConcurrentRuns"] == ("3", "5")
    assert used["maxExecutionsPerDay"] == ("7", "10000")


def test_a_byte_takes_a_megabyte_as_nothing_is_kept_for_nothing() -> None:
    assert [RunUsage(storage_bytes=size).storage_mb for size in (0, 1, 10**6, 10**6 + 1)] == [0, 1, 1, 2]


def test_namespaces_are_added_up() -> None:
    cpu = [{"requests.cpu": Amount.parse("500m")}, {"requests.cpu": Amount.parse("1")}, {}]

    [use] = of_compute({"requests.cpu": Amount.parse("2")}, cpu)

    assert (use.name, use.used, use.limit) == ("requests.cpu", "1500m", "2")


def test_only_more_than_the_limit_is_beyond_it() -> None:
    uses = of_compute(
        {"pods": Amount.of(2), "secrets": Amount.of(2)}, [{"pods": Amount.of(3), "secrets": Amount.of(2)}]
    )

    assert [use.name for use in beyond(uses)] == ["pods"]


def test_a_run_in_the_place_of_another_is_active_and_takes_nothing_of_the_limit() -> None:
    use = RunUsage(running=1, borrowed=2) + RunUsage(running=1, pending=1, borrowed=1)
    assert use.active == 6
    assert of_runs(Limits(), use)[0].used == "2"
