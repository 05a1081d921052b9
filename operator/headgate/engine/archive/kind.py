"""What a kind of record has to know of itself to be moved to the archive."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from headgate.engine.archive.files import ArchiveFiles
from headgate.store.archive.choosing import Policy


class Part(Protocol):
    """A part as it is recorded, whatever is in it."""

    @property
    def id(self) -> UUID:
        """Names its folder."""

    @property
    def month(self) -> date:
        """The first day of the month that it is of."""

    @property
    def state(self) -> str:
        """``Writing``, ``Verified``, ``Removed`` and so on."""

    @property
    def files(self) -> Mapping[str, Any] | None:
        """What is recorded of its files; None while it is written."""


P = TypeVar("P", bound=Part)
C = TypeVar("C", bound=Sized)
W = TypeVar("W")


@dataclass(frozen=True)
class Tidied:
    """What became of parts."""

    removed: int
    """Those whose rows were deleted one by one."""
    expired: int
    """Those that were kept long enough."""


class Kind(Protocol[P, C, W]):
    """Records of a workspace that move to the archive by the steps of ``writing``, and leave it in the end.

    Methods raise ``ArchiveDamaged``, ``NotArchived``, ``DatabaseUnavailable`` and ``StoreUnavailable``.
    """

    @property
    def folders(self) -> tuple[str, ...]:
        """Kinds of files of a part, each of which has a folder. The first one has the manifest."""

    async def begin(self, workspace_id: UUID, policy: Policy, now: datetime) -> P | None:
        """The part that is written next: one that was begun, or a new one. None where nothing may go."""

    async def choose(self, workspace_id: UUID, part: P) -> C:
        """What is in the part. Where that is nothing, the part is given up."""

    async def write(self, files: ArchiveFiles, workspace_id: UUID, part: P, chosen: C) -> W:
        """Write the part's files, and read them back."""

    async def record(self, workspace_id: UUID, part: P, written: W) -> bool:
        """Say that the part counts. Whether nobody else had."""

    async def known(self, workspace_id: UUID, part: P) -> P | None:
        """The part as it is recorded now."""

    async def tidy(self, files: ArchiveFiles, workspace_id: UUID, policy: Policy, now: datetime) -> Tidied:
        """Delete the rows of what counts, and parts that were kept long enough."""


class NotArchived(Exception):  # noqa: N818 - reads as what it says
    """Something of a workspace cannot be moved, and was left where it is; the message says why."""
