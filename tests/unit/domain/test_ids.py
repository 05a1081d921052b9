from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.ids import uuid7, uuid7_time

MILLISECOND = timedelta(milliseconds=1)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31, 23, 59, 59), timezones=st.just(UTC))  # noqa: DTZ001
RANDOM = st.binary(min_size=10, max_size=10)


def test_the_example_of_rfc_9562_is_reproduced() -> None:
    now = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    random = bytes.fromhex("0CC3 18C4DC0C0C07398F".replace(" ", ""))

    assert uuid7(now, random) == UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


@given(TIMES, RANDOM)
def test_an_id_is_a_valid_uuid_of_version_7(now: datetime, random: bytes) -> None:
    identifier = uuid7(now, random)

    assert identifier.version == 7
    assert identifier.variant == "specified in RFC 4122"


@given(TIMES, RANDOM)
def test_an_id_carries_its_time_to_the_millisecond(now: datetime, random: bytes) -> None:
    carried = uuid7_time(uuid7(now, random))

    assert timedelta(0) <= now - carried < MILLISECOND


@given(TIMES, TIMES, RANDOM, RANDOM)
def test_ids_sort_by_their_milliseconds(one: datetime, other: datetime, these: bytes, those: bytes) -> None:
    earlier, later = sorted((one, other))
    first, second = uuid7(earlier, these), uuid7(later, those)

    assert first < second or uuid7_time(first) == uuid7_time(second)
    assert (str(first) < str(second)) == (first < second)


@given(TIMES, RANDOM, RANDOM)
def test_ids_of_one_millisecond_differ_when_their_randomness_does(now: datetime, these: bytes, those: bytes) -> None:
    kept = (int.from_bytes(these) ^ int.from_bytes(those)) & ~(0xF << 76) & ~(0x3 << 62)

    assert (uuid7(now, these) == uuid7(now, those)) == (kept == 0)


@pytest.mark.parametrize("size", [0, 9, 11, 16])
def test_other_amounts_of_randomness_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="10 bytes"):
        uuid7(datetime(2026, 1, 1, tzinfo=UTC), bytes(size))


def test_times_before_1970_are_refused() -> None:
    with pytest.raises(ValueError, match="before 1970"):
        uuid7(datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC), bytes(10))


@pytest.mark.parametrize(
    "identifier", [uuid4(), UUID(int=0), UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")], ids=["4", "nil", "year 10889"]
)
def test_ids_that_carry_no_time_are_refused(identifier: UUID) -> None:
    with pytest.raises(ValueError, match=str(identifier)):
        uuid7_time(identifier)
