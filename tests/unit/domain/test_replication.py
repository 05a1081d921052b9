from __future__ import annotations

from headgate.domain.replication import REMEMBERED, Beats

THREE = Beats().noted(10.0, 5).noted(12.0, 6).noted(14.0, 9)


def test_who_has_a_beat_is_behind_by_the_time_since_it_was_written() -> None:
    assert [THREE.lag(seen, 15.0) for seen in (5, 6, 9)] == [5.0, 3.0, 1.0]


def test_beats_of_others_in_between_count_as_the_one_before_them() -> None:
    assert THREE.lag(8, 15.0) == 3.0
    assert THREE.lag(100, 15.0) == 1.0


def test_who_has_none_that_is_remembered_may_be_behind_by_anything() -> None:
    assert THREE.lag(4, 15.0) is None
    assert Beats().lag(4, 15.0) is None


def test_a_number_that_is_not_above_the_others_is_of_another_history() -> None:
    again = THREE.noted(16.0, 2)
    assert again.lag(1, 17.0) is None
    assert again.lag(2, 17.0) == 1.0


def test_no_more_are_remembered_than_are_of_use() -> None:
    beats = Beats()
    for number in range(1, REMEMBERED + 3):
        beats = beats.noted(float(number), number)
    assert len(beats.written) == REMEMBERED
    assert beats.lag(2, 400.0) is None
