from __future__ import annotations

from headgate.domain.dependency_breaker import DependencyBreaker, Patience, answered, asked, failed, given_up

PATIENCE = Patience(failures=3, cool_down=2.0)


def failing(breaker: DependencyBreaker, now: float = 10.0) -> DependencyBreaker:
    """After one more question that was asked and failed."""
    return failed(asked(breaker), breaker.turn, PATIENCE, now)


def broken(times: int) -> DependencyBreaker:
    """After so many failures in a row."""
    breaker = DependencyBreaker()
    for _ in range(times):
        breaker = failing(breaker)
    return breaker


def test_it_asks_until_it_failed_so_often_in_a_row() -> None:
    assert [broken(times).asks(10.0) for times in range(4)] == [True, True, True, False]


def test_an_answer_in_between_forgives_what_failed_before() -> None:
    assert failing(answered(broken(2))).asks(10.0)


def test_it_is_left_alone_until_it_has_cooled_down() -> None:
    assert [broken(3).asks(now) for now in (11.9, 12.0)] == [False, True]


def test_half_open_one_question_is_asked_however_long_it_takes() -> None:
    assert [asked(broken(3)).asks(now) for now in (12.0, 1_000.0)] == [False, False]


def test_an_answer_closes_it() -> None:
    assert answered(asked(broken(3))).closed
    assert not broken(3).closed


def test_a_failure_while_half_open_opens_it_again() -> None:
    assert [failing(broken(3), 12.5).asks(now) for now in (14.4, 14.5)] == [False, True]


def test_who_gives_up_a_try_lets_another_one_try() -> None:
    trying = asked(broken(3))

    assert given_up(trying, trying.turn).asks(12.0)


def test_failures_of_what_was_asked_before_it_opened_neither_prolong_it_nor_end_the_try() -> None:
    early = DependencyBreaker().turn
    trying = asked(broken(3))

    assert failed(trying, early, PATIENCE, 11.0) == trying
    assert given_up(trying, early) == trying


def test_failures_of_what_was_asked_before_the_last_answer_do_not_open_it() -> None:
    before = DependencyBreaker()
    breaker = answered(before)
    for _ in range(5):
        breaker = failed(breaker, before.turn, PATIENCE, 10.0)

    assert breaker == answered(before)


def test_what_was_asked_before_it_opened_and_is_answered_closes_it() -> None:
    assert answered(broken(3)).asks(10.0)
