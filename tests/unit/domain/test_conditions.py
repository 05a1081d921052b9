from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headgate.api.base import Condition, ConditionStatus
from headgate.domain.conditions import Conditions, find, not_ready, ready, reconciling, update

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def states(conditions: Conditions) -> dict[str, str]:
    return {condition.type: condition.status.value for condition in conditions}


def get(conditions: Conditions, kind: str) -> Condition:
    found = find(conditions, kind)
    assert found is not None
    return found


def test_ready() -> None:
    assert states(ready((), "Reconciled", "", 1, NOON)) == {"Ready": "True", "Reconciling": "False", "Stalled": "False"}


def test_at_work() -> None:
    after = reconciling((), "Applying", "", 1, NOON)

    assert states(after) == {"Ready": "Unknown", "Reconciling": "True", "Stalled": "False"}


@pytest.mark.parametrize(("stalled", "at_work"), [(True, "False"), (False, "True")])
def test_in_the_way(*, stalled: bool, at_work: str) -> None:
    after = not_ready((), "QuotaNotFound", "", 1, NOON, stalled=stalled)

    assert states(after) == {"Ready": "False", "Reconciling": at_work, "Stalled": str(stalled)}


def test_the_message_stands_where_something_holds() -> None:
    after = not_ready((), "QuotaNotFound", "create it", 1, NOON, stalled=True)

    assert {condition.type: condition.message for condition in after} == {
        "Ready": "create it",
        "Reconciling": "",
        "Stalled": "create it",
    }


def test_the_time_stays_while_the_status_does() -> None:
    first = not_ready((), "QuotaNotFound", "", 1, NOON, stalled=True)
    second = not_ready(first, "InvalidSpec", "", 2, LATER, stalled=False)

    assert get(second, "Ready").last_transition_time == NOON
    assert get(second, "Stalled").last_transition_time == LATER
    assert get(second, "Ready").reason == "InvalidSpec"
    assert get(second, "Ready").observed_generation == 2


def test_saying_the_same_again_changes_nothing() -> None:
    first = ready((), "Reconciled", "all in place", 1, NOON)

    assert ready(first, "Reconciled", "all in place", 1, LATER) == first


def test_conditions_of_others_and_their_order_are_kept() -> None:
    before = update(ready((), "Reconciled", "", 1, NOON), "BreakerClosed", ConditionStatus.TRUE, "Healthy", "", 1, NOON)
    after = not_ready(before, "InvalidSpec", "", 1, LATER, stalled=True)

    assert [condition.type for condition in after] == ["Ready", "Reconciling", "Stalled", "BreakerClosed"]
    assert get(after, "BreakerClosed") == get(before, "BreakerClosed")


def test_times_are_whole_seconds() -> None:
    after = ready((), "Reconciled", "", 1, NOON + timedelta(microseconds=999_999))

    assert get(after, "Ready").last_transition_time == NOON


def test_a_message_that_is_too_long_is_cut() -> None:
    assert len(get(ready((), "Reconciled", "x" * 5000, 1, NOON), "Ready").message) == 2048
