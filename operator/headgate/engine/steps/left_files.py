"""Files that an attempt leaves, as its runner brings them: noted, and counted, where there is room for them.

Before the first one comes, the runner tells of all of them. So nothing is sent that cannot be kept, and what an earlier
execution of the same attempt left is gone.

Nothing lies in the object store that nobody knows of: where a file is to be is recorded, and its bytes are counted,
before it comes, and where one was until it is deleted. Whoever puts it there, or takes it away, may die at any time:
the operator deletes what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from headgate.domain.artifacts import (
    ELSEWHERE,
    INVALID,
    MOST_FILES,
    artifact_path,
    content_type,
    is_name,
    misnamed,
    sending_seconds,
)
from headgate.domain.storage import LIMIT
from headgate.engine.context import Context, run_key
from headgate.engine.types import LeaseLost, TaskRef
from headgate.store import artifacts, credential_releases, storage, unnoted_artifacts
from headgate.store.artifacts import NewFile
from headgate.store.database import Transaction
from headgate.store.records import RunKey
from headgate.store.tasks import TaskKey

_ALL = "what the script left in $HEADGATE_ARTIFACTS"
GRACE = timedelta(minutes=5)
"""How much longer than it may take a file may be on its way before it is given up."""
SOON = timedelta(minutes=1)
"""When the operator deletes what the gateway is about to delete, in case that it does not."""
BATCH = 100
"""Objects of a workspace that are deleted in one go."""


@dataclass(frozen=True)
class SentFile:
    """A file that lies in the object store, and is noted nowhere yet."""

    name: str
    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Settled:
    """What became of what a runner told or brought."""

    gone: tuple[str, ...] = ()
    """Paths at which nothing is to lie any more."""
    reason: str = ""
    """Why it is not kept, in one word; empty where it is."""
    message: str = ""
    """The same in words for the workflow's author."""


@dataclass(frozen=True)
class Expected:
    """A file that is to come."""

    path: str
    """Where it is to be put: nothing lies there, or ever did."""
    refused: Settled | None = None
    """Why it is not to come."""


class Late(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The file was on its way for so long that it was given up."""


class LeftFiles:
    """Takes files of attempts. Methods raise ``LeaseLost`` and ``DatabaseUnavailable``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def announce(self, ref: TaskRef, holder: str, sizes: list[int]) -> Settled:
        """Forget what the attempt left before, and see whether files of these sizes find room.

        What finds room now may find none when it is there: others keep things meanwhile.
        """
        async with self._context.database.tenant(ref.workspace_id, lock=ref.run_id) as tx:
            key = await self._held(tx, ref, holder)
            due_at = self._context.now() + SOON
            gone = tuple(await artifacts.forget(tx, key, ref.node, ref.attempt, due_at))
            left = await storage.left(tx, ref.workspace_id)
        total = sum(sizes)
        if not left.fits(total):
            return Settled(gone, LIMIT, left.refusal(_ALL, total))
        return Settled(gone)

    async def expect(self, ref: TaskRef, holder: str, name: str, size: int) -> Expected:
        """Count a file that is to come now, and say where it is to be put: before any of it is read."""
        if not is_name(name):
            return Expected("", _misnamed(name))
        now = self._context.now()
        path = artifact_path(ref, self._context.new_id(now))
        due_at = now + timedelta(seconds=sending_seconds(size)) + GRACE
        async with self._context.database.tenant(ref.workspace_id, lock=ref.run_id) as tx:
            await self._held(tx, ref, holder)
            if await unnoted_artifacts.expect(tx, ref.workspace_id, path, size, due_at):
                return Expected(path)
            left = await storage.left(tx, ref.workspace_id)
        return Expected("", Settled((), LIMIT, left.refusal(_one(name), size)))

    async def record(self, ref: TaskRef, holder: str, file: SentFile) -> Settled:
        """Note a file that was expected and lies in the object store, in place of the one of its name.

        Where it is not kept its own path is among those that are ``gone``. Raises ``Late``.
        """
        new = NewFile(file.name, file.size, file.sha256, content_type(file.name), file.path)
        now = self._context.now()
        async with self._context.database.tenant(ref.workspace_id, lock=ref.run_id) as tx:
            key = await self._held(tx, ref, holder)
            noted = await artifacts.record(
                tx, key, ref.node, ref.attempt, new, most=MOST_FILES, now=now, due_at=now + SOON
            )
        if noted.kept:
            return Settled(() if noted.replaced is None else (noted.replaced,))
        if noted.others >= MOST_FILES:
            return Settled((file.path,), INVALID, f"an attempt may leave {MOST_FILES} files at most")
        raise Late

    async def deleted(self, workspace_id: UUID, paths: Sequence[str]) -> None:
        """Nothing lies at these paths any more: forget them, and give back what was counted for them."""
        async with self._context.database.tenant(workspace_id) as tx:
            await unnoted_artifacts.forget(tx, workspace_id, paths)

    async def leave(self, workspace_id: UUID, paths: Sequence[str]) -> None:
        """What may lie at these paths could not be deleted, and is not to stay: the operator does it later."""
        async with self._context.database.tenant(workspace_id) as tx:
            await unnoted_artifacts.leave(tx, workspace_id, paths, self._context.now() + SOON)

    async def owners_of_unnoted(self) -> list[UUID]:
        """Workspaces of which objects are to be deleted that whoever put them there did not delete."""
        async with self._context.database.system() as tx:
            return await unnoted_artifacts.owners(tx, self._context.now())

    async def give_up(self, workspace_id: UUID) -> list[str]:
        """Give up what is due of the workspace: nobody notes it from here on, and it counts no more.

        Its objects are to be deleted: ``deleted`` is told of that, and until then they are due again, a while later.
        """
        now = self._context.now()
        async with self._context.database.tenant(workspace_id) as tx:
            return await unnoted_artifacts.give_up(tx, workspace_id, now, now + GRACE, BATCH)

    async def _held(self, tx: Transaction, ref: TaskRef, holder: str) -> RunKey:
        """The attempt's run, where the attempt is the holder's and may leave files. It stays so in this transaction."""
        key = run_key(ref.workspace_id, ref.run_id)
        if key is None:
            raise LeaseLost(ref)
        task = TaskKey(ref.workspace_id, ref.run_id, ref.node, ref.attempt)
        work = await credential_releases.held(tx, task, holder, self._context.now())
        if work is None or "script" not in work:
            raise LeaseLost(ref)
        return key


def elsewhere() -> Settled:
    """Where the gateway has no object store that it shares with whoever reads."""
    return Settled(
        (),
        ELSEWHERE,
        "files are kept in an object store that the gateway reaches, and there is none: objectStore.url of the chart "
        "names a bucket, or objectStore.existingClaim a folder that all share",
    )


def _misnamed(name: str) -> Settled:
    return Settled((), INVALID, misnamed(name))


def _one(name: str) -> str:
    return f"the artifact {name}"
