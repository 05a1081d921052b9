from __future__ import annotations

import itertools
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.deadlock import Need, WaitingRun, deadlock


def an_id(number: int) -> UUID:
    return UUID(int=number)


def a_run(number: int, *needs: Need, called_by: tuple[int, ...]) -> WaitingRun:
    return WaitingRun(an_id(number), f"w{number}", tuple(map(an_id, called_by)), needs)


def a_need(*holders: int, spare: int = 0, what: str = "mutex 'm'") -> Need:
    return Need(what, frozenset(map(an_id, holders)), spare)


def test_two_that_wait_for_each_other_s_callers_stand_still_and_the_youngest_is_failed() -> None:
    found = deadlock(
        [
            a_run(10, a_need(2, what="mutex 'b'"), called_by=(1,)),
            a_run(11, a_need(1, what="mutex 'a'"), called_by=(2,)),
        ]
    )

    assert found is not None
    assert found.run_id == an_id(11)
    assert found.message == (
        f"Deadlock: run {an_id(11)} of workflow w11 waits for mutex 'a' of run {an_id(1)}, which waits for the end of "
        f"run {an_id(10)}; run {an_id(10)} of workflow w10 waits for mutex 'b' of run {an_id(2)}, which waits for the "
        f"end of run {an_id(11)}: let all workflows take them in the same order"
    )


def test_what_waits_for_somebody_who_ends_goes_on() -> None:
    assert deadlock([a_run(10, a_need(2), called_by=(1,)), a_run(11, a_need(3), called_by=(2,))]) is None


def test_nobody_waits_for_nothing() -> None:
    assert deadlock([]) is None
    assert deadlock([a_run(10, called_by=(1,)), a_run(11, a_need(), called_by=(1,))]) is None


def test_branches_of_one_run_may_stand_still_as_well() -> None:
    # Of run 1: 10 is called by 2, 11 by 3, which run 1 called both.
    found = deadlock([a_run(10, a_need(3), called_by=(1, 2)), a_run(11, a_need(2), called_by=(1, 3))])

    assert found is not None


def test_a_circle_of_three_is_found() -> None:
    runs = [a_run(10 + i, a_need(1 + (i + 1) % 3), called_by=(1 + i,)) for i in range(3)]

    found = deadlock(runs)

    assert found is not None
    assert found.run_id == an_id(12)
    assert found.message.count("waits for mutex") == 3
    assert all(deadlock(pair) is None for pair in itertools.combinations(runs, 2))


def test_who_only_waits_for_the_circle_is_not_failed() -> None:
    circle = [a_run(10, a_need(2), called_by=(1,)), a_run(11, a_need(1), called_by=(2,))]

    found = deadlock([*circle, a_run(12, a_need(2), called_by=(3,))])

    assert found is not None
    assert found.run_id == an_id(11)


def test_a_limit_has_room_as_soon_as_one_of_its_holders_ends() -> None:
    other = a_run(11, a_need(1), called_by=(2,))

    assert deadlock([a_run(10, a_need(2, 3, spare=1), called_by=(1,)), other]) is None
    found = deadlock([a_run(10, a_need(2, 3, spare=1), called_by=(1,)), other, a_run(12, a_need(1), called_by=(3,))])
    assert found is not None


def test_of_several_needs_one_that_stays_is_enough() -> None:
    found = deadlock([a_run(10, a_need(5), a_need(2), called_by=(1,)), a_run(11, a_need(1), called_by=(2,))])

    assert found is not None


runs = st.lists(
    st.tuples(st.sets(st.integers(1, 5), min_size=1, max_size=2), st.sets(st.integers(1, 5), max_size=3)), max_size=6
)


@given(runs)
def test_failing_what_is_found_ends_in_finitely_many_steps_with_nothing_that_stands_still(
    drawn: list[tuple[set[int], set[int]]],
) -> None:
    left = [
        a_run(10 + i, a_need(*(holders - callers)), called_by=tuple(sorted(callers)))
        for i, (callers, holders) in enumerate(drawn)
    ]
    while (found := deadlock(left)) is not None:
        before = len(left)
        left = [run for run in left if run.id != found.run_id]
        assert len(left) == before - 1

    while left:
        held = {caller for run in left for caller in run.callers}
        going = [run for run in left if not any(need.holders & held for need in run.needs)]
        assert going, "somebody can go on"
        left = [run for run in left if run not in going]
