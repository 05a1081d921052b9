from __future__ import annotations

from headgate.domain.dependency_breaker import DependencyBreaker, Patience, answered, asked, failed

PATIENCE = Patience(failures=3, cool_down=2.0)


def broken(times: int, now: float = 10.0) -> DependencyBreaker:
    """After so many failures in a row."""
    breaker = DependencyBreaker()
    for _ in range(times):
        breaker = failed(asked(breaker, PATIENCE, now), PATIENCE, now)
    return breaker


def test_it_asks_until_it_failed_so_often_in_a_row() -> None:
    assert [broken(times).asks(10.0) for times in range(4)] == [True, True, True, False]


def test_an_answer_in_between_forgives_what_failed_before() -> None:
    assert failed(answered(), PATIENCE, 10.0).asks(10.0)


def test_it_is_left_alone_until_it_has_cooled_down() -> None:
    assert [broken(3).asks(now) for now in (11.9, 12.0)] == [False, True]


def test_half_open_one_question_is_asked() -> None:
    assert not asked(broken(3), PATIENCE, 12.0).asks(12.0)


def test_an_answer_closes_it() -> None:
    assert answered().closed
    assert not broken(3).closed


def test_a_failure_while_half_open_opens_it_again() -> None:
    assert not failed(asked(broken(3), PATIENCE, 12.0), PATIENCE, 12.5).asks(14.4)


def test_a_question_of_which_nothing_was_heard_is_not_waited_for_for_ever() -> None:
    assert asked(broken(3), PATIENCE, 12.0).asks(14.0)
