"""Files that an attempt leaves, as its runner brings them: noted, and counted, where there is room for them.

Before the first one comes, the runner tells of all of them. So nothing is sent that cannot be kept, and what an earlier
execution of the same attempt left is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from headgate.domain.artifacts import ELSEWHERE, INVALID, MOST_FILES, artifact_path, content_type, is_name, misnamed
from headgate.domain.storage import LIMIT
from headgate.engine.context import Context, run_key
from headgate.engine.types import LeaseLost, TaskRef
from headgate.store import artifacts, credential_releases, storage
from headgate.store.artifacts import NewFile
from headgate.store.database import Transaction
from headgate.store.records import RunKey
from headgate.store.tasks import TaskKey

_ALL = "what the script left in $HEADGATE_ARTIFACTS"


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


class LeftFiles:
    """Takes files of attempts. All methods raise ``LeaseLost`` and ``DatabaseUnavailable``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def announce(self, ref: TaskRef, holder: str, sizes: list[int]) -> Settled:
        """Forget what the attempt left before, and see whether files of these sizes find room.

        What finds room now may find none when it is there: others keep things meanwhile.
        """
        async with self._context.database.tenant(ref.workspace_id, lock=ref.run_id) as tx:
            key = await self._held(tx, ref, holder)
            gone = tuple(await artifacts.forget(tx, key, ref.node, ref.attempt))
            left = await storage.left(tx, ref.workspace_id)
        total = sum(sizes)
        if not left.fits(total):
            return Settled(gone, LIMIT, left.refusal(_ALL, total))
        return Settled(gone)

    def path_of_next(self, ref: TaskRef) -> str:
        """Where the file is to be put that comes next: nothing lies there, or ever did."""
        return artifact_path(ref, self._context.new_id(self._context.now()))

    async def may_bring(self, ref: TaskRef, holder: str, name: str, size: int) -> Settled:
        """Whether a file of that size may be brought now: asked before any of it is read."""
        if not is_name(name):
            return _misnamed(name)
        async with self._context.database.tenant(ref.workspace_id) as tx:
            await self._held(tx, ref, holder)
            left = await storage.left(tx, ref.workspace_id)
        return Settled() if left.fits(size) else Settled((), LIMIT, left.refusal(_one(name), size))

    async def record(self, ref: TaskRef, holder: str, file: SentFile) -> Settled:
        """Note a file that lies in the object store, in place of the one of its name, and count its bytes.

        Where it is not kept its own path is among those that are ``gone``.
        """
        if not is_name(file.name):
            return _misnamed(file.name)
        new = NewFile(file.name, file.size, file.sha256, content_type(file.name), file.path)
        async with self._context.database.tenant(ref.workspace_id, lock=ref.run_id) as tx:
            key = await self._held(tx, ref, holder)
            noted = await artifacts.record(
                tx, key, ref.node, ref.attempt, new, most=MOST_FILES, now=self._context.now()
            )
            if noted.fits:
                return Settled(() if noted.replaced is None else (noted.replaced,))
            left = await storage.left(tx, ref.workspace_id)
        if noted.others >= MOST_FILES:
            return Settled((file.path,), INVALID, f"an attempt may leave {MOST_FILES} files at most")
        return Settled((file.path,), LIMIT, left.refusal(_one(file.name), file.size))

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
