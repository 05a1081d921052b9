"""Identifiers that carry the time they were made: UUID version 7 of RFC 9562."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANDOM_BYTES = 10


def uuid7(now: datetime, random: bytes) -> UUID:
    """A UUIDv7 of the millisecond of ``now``, with ten bytes of randomness (six bits give way to the format).

    Raises ``ValueError`` for other amounts of randomness, and for times before 1970.
    """
    if len(random) != _RANDOM_BYTES:
        raise ValueError("a UUIDv7 takes 10 bytes of randomness")
    milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)
    if milliseconds < 0:
        raise ValueError(f"a UUIDv7 cannot carry {now}, which is before 1970")
    value = (milliseconds << 80) | int.from_bytes(random)
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return UUID(int=value)


def uuid7_time(identifier: UUID) -> datetime:
    """The time that a UUIDv7 carries, to the millisecond. ``ValueError`` for other versions, or after year 9999."""
    if identifier.version != 7:  # noqa: PLR2004 - the version this module is about
        raise ValueError(f"{identifier} is not a UUIDv7")
    try:
        return _EPOCH + timedelta(milliseconds=identifier.int >> 80)
    except OverflowError:
        raise ValueError(f"{identifier} carries a time that no calendar reaches") from None
