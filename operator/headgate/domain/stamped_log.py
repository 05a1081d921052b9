"""A log whose lines begin with when they were written, read anew where its connection broke, without gap or double."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_LONGEST_STAMP = 48
_DIGITS = 9
_EARLIER = timedelta(seconds=1)
"""Lines of two streams may be in the file in another order than they are stamped."""

_Moment = tuple[datetime, str]
_NEVER: _Moment = (datetime.min.replace(tzinfo=UTC), "")


class NotStamped(ValueError):  # noqa: N818 - reads as what it says
    """A line begins with no timestamp: it is not of the container, but a word of the kubelet about it."""


class StampedLog:
    """Takes in a log with timestamps, and gives it without them: each line once, however often it is read anew."""

    def __init__(self) -> None:
        self._last = self._latest = _NEVER
        """When the last line was written that was begun, and the latest of all."""
        self._alike = 0
        """Lines of that moment that were begun, one after the other."""
        self._given = 0
        """Bytes of the last of them that were given."""
        self._seeking = False
        """Whether that line is looked for in a log that is read anew."""
        self._met = 0
        """Lines of its moment that were met since."""
        self._stamp: bytearray | None = bytearray()
        """What there is of a line's stamp; None within its text."""
        self._known: int | None = 0
        """How many bytes more of the present line were given before; None for all of it."""

    @property
    def since(self) -> str | None:
        """From which second on the log is to be read anew; None for all of it."""
        if self._last == _NEVER:
            return None
        return (self._last[0] - _EARLIER).strftime("%Y-%m-%dT%H:%M:%SZ")

    def again(self) -> None:
        """What comes next is the log from ``since`` on."""
        self._seeking, self._met = self._last != _NEVER, 0
        self._stamp, self._known = bytearray(), 0

    def add(self, piece: bytes) -> bytes:
        """What is new in what comes next. Raises ``NotStamped``: what comes behind such a line cannot be read."""
        found = bytearray()
        at = 0
        while at < len(piece):
            if self._stamp is not None:
                at = self._read_stamp(self._stamp, piece, at)
                continue
            end = piece.find(b"\n", at) + 1
            if end:
                self._stamp = bytearray()
            end = end or len(piece)
            found += self._new(piece[at:end])
            at = end
        return bytes(found)

    def _read_stamp(self, stamp: bytearray, piece: bytes, at: int) -> int:
        """Take in what there is of a line's stamp, and return where to go on."""
        end = piece.find(b" ", at, at + _LONGEST_STAMP)
        found = end >= 0
        end = end if found else min(len(piece), at + _LONGEST_STAMP)
        stamp += piece[at:end]
        if len(stamp) > _LONGEST_STAMP:
            raise NotStamped
        if not found:
            return end
        self._stamp = None
        self._begin(_moment(bytes(stamp)))
        return end + 1

    def _begin(self, moment: _Moment) -> None:
        self._known = None
        if self._seeking and moment <= self._latest:
            self._met += moment == self._last
            if self._met == self._alike:
                self._seeking, self._known = False, self._given
            return
        self._seeking = False
        self._alike = self._alike + 1 if moment == self._last else 1
        self._last, self._latest = moment, max(moment, self._latest)
        self._given = self._known = 0

    def _new(self, text: bytes) -> bytes:
        if self._known is None:
            return b""
        new = text[self._known :]
        self._known = max(0, self._known - len(text))
        self._given += len(new)
        return new


def _moment(stamp: bytes) -> _Moment:
    """When that was, to be compared: RFC 3339 with any number of digits behind the second. Raises ``NotStamped``."""
    whole, zone = stamp[:19], stamp[19:].lstrip(b".0123456789")
    try:
        at = datetime.fromisoformat((whole + zone).decode("ascii"))
    except ValueError:
        raise NotStamped from None
    if at.tzinfo is None:
        raise NotStamped
    digits = stamp[19 : len(stamp) - len(zone)].strip(b".").decode()
    return at.astimezone(UTC), digits.ljust(_DIGITS, "0")
