"""Who belongs to which Workspace, as the Workspaces themselves say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from pydantic import ValidationError

from headgate.api.members import Member
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import WORKSPACES
from headgate.engine.workspaces import Workspaces
from headgate.gateway.memory import Memory

LISTED_SECONDS = 5.0
"""How long a list of all Workspaces is believed: it only names them, and what is in one is asked for each by itself."""
_ALL = b"all"


@dataclass(frozen=True)
class Membership:
    """A workspace, and who belongs to it."""

    workspace_id: UUID | None
    """None where there is none, or it is not recorded yet."""
    members: tuple[Member, ...] = ()


class Memberships:
    """Reads Workspaces from the API server. All methods raise ``ApiError`` and ``Unreachable``."""

    def __init__(
        self, kube: KubeClient, workspaces: Workspaces, *, monotonic: Callable[[], float], believed_seconds: float
    ) -> None:
        """``believed_seconds`` is how long the word of one Workspace counts."""
        self._kube = kube
        self._workspaces = workspaces
        self._known = Memory[Membership](believed_seconds, monotonic)
        self._listed = Memory[Mapping[str, tuple[Member, ...]]](LISTED_SECONDS, monotonic, size=1)
        self._listing = asyncio.Lock()

    async def of(self, workspace: str) -> Membership:
        """Who belongs to the workspace of that name. Raises ``DatabaseUnavailable`` too."""
        key = workspace.encode()
        if (known := self._known.recall(key)) is not None:
            return known
        asked = self._known.asking()
        try:
            live = await self._kube.get(WORKSPACES, workspace)
        except ApiError as error:
            if not error.is_not_found:
                raise
            found = Membership(None)
        else:
            found = Membership(await self._workspaces.id_of(workspace), tuple(_members(live)))
        self._known.keep(key, found, asked)
        return found

    async def all(self) -> Mapping[str, tuple[Member, ...]]:
        """Who belongs to which workspace. However many ask at once, the Workspaces are listed once."""
        async with self._listing:
            if (known := self._listed.recall(_ALL)) is not None:
                return known
            asked = self._listed.asking()
            found = {
                str(live["metadata"]["name"]): tuple(_members(live))
                async for page in self._kube.list_pages(WORKSPACES)
                for live in page["items"]
            }
            self._listed.keep(_ALL, found, asked)
            return found


def _members(live: Object) -> Iterator[Member]:
    """The members as this release reads them; one that it does not understand is none."""
    for item in (live.get("spec") or {}).get("members") or ():
        try:
            yield Member.model_validate(item)
        except ValidationError:
            continue
