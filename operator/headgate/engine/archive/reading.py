"""Reads archived runs, in the form in which the history gives runs."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from headgate.domain.archive import ARTIFACTS, RUNS, STEPS, files_of_record
from headgate.engine.archive.files import ArchiveFiles
from headgate.engine.context import Context
from headgate.objects.object_store import ObjectStore
from headgate.objects.parquet import Row
from headgate.store.archive import parts
from headgate.store.archive.columns import FORMS
from headgate.store.archive.parts import Part

Having = Callable[[Mapping[UUID, str]], Awaitable[Collection[UUID]]]
"""Tells which texts have the words that are looked for, by what they are of."""
_CANDIDATES = 32
"""Parts in which one run may be: their ranges overlap only where runs came late."""


class NoArchive(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The run is in the archive, and this program was not told where that is."""


@dataclass(frozen=True)
class ArchivedRun:
    """A run as its file has it, with the attempts of all its nodes."""

    run: Row
    steps: Sequence[Row]

    def shown(self) -> Any:
        """The run with the latest attempts of its nodes, as ``history.run`` gives those that are not archived."""
        latest = {step["node"]: step for step in sorted(self.steps, key=lambda step: (step["node"], step["attempt"]))}
        costs = [Decimal(step["cost"]) for step in self.steps if step["cost"] is not None]
        values = dict(self.run)
        for name in ("outputs", "labels", "options", "inputs", "event"):
            values[name] = _json(values[name])
        values["version_id"] = UUID(values["version_id"])
        shown = {"steps": [_step(step) for step in latest.values()], "cost": sum(costs) if costs else None}
        return Shown({**values, **shown, "waiting": None, "holder": None})

    def attempts(self) -> list[dict[str, Any]]:
        """All attempts, as ``history.attempts`` gives those that are not archived."""
        return [_step(step) for step in self.steps]


class Shown:
    """Values by their names, as a row has them."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def _step(step: Row) -> dict[str, Any]:
    """An attempt as the history's JSON has it."""
    times = {name: _iso(step[name]) for name in ("attempt_started_at", "attempt_finished_at")}
    return {**step, **times, "output": _json(step["output"])}


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


class ArchiveReader:
    """Finds runs in the archive. Methods raise ``StoreUnavailable``, ``ArchiveDamaged`` and ``NoArchive``."""

    def __init__(self, context: Context, objects: ObjectStore | None) -> None:
        """``objects`` is where the archive lies; None where that is not known here."""
        self._context = context
        self._files = ArchiveFiles(objects) if objects is not None else None

    async def run(self, workspace_id: UUID, run_id: UUID) -> ArchivedRun | None:
        """An archived run of the workspace, or None where there is none. One query, and two files of each part."""
        for part in await self._holding(workspace_id, run_id, run_id, _CANDIDATES):
            found = await self._in(part, run_id)
            if found is not None:
                return found
        return None

    async def steps(self, workspace_id: UUID, run_id: UUID) -> Sequence[Row]:
        """All attempts of an archived run."""
        found = await self.run(workspace_id, run_id)
        return found.steps if found is not None else ()

    async def artifacts(self, workspace_id: UUID, run_id: UUID) -> Sequence[Row]:
        """All files that attempts of an archived run left. One query, and a file of each part that has any."""
        for part in await self._holding(workspace_id, run_id, run_id, _CANDIDATES):
            file = files_of_record(part.files or {}).get(ARTIFACTS)
            if file is not None:
                wanted = frozenset({str(run_id)})
                found = await self._reader().rows(file, FORMS[ARTIFACTS], by="execution_id", wanted=wanted)
                if found:
                    return found
        return ()

    async def _in(self, part: Part, run_id: UUID) -> ArchivedRun | None:
        files, wanted = files_of_record(part.files or {}), frozenset({str(run_id)})
        reader = self._reader()
        runs = await reader.rows(files[RUNS], FORMS[RUNS], by="id", wanted=wanted)
        if not runs:
            return None
        steps = await reader.rows(files[STEPS], FORMS[STEPS], by="execution_id", wanted=wanted)
        return ArchivedRun(runs[0], steps)

    async def listed(self, part: Part, columns: Collection[str], fits: Callable[[Row], bool], limit: int) -> list[Row]:
        """The newest ``limit`` runs of a part that fit, by these of their columns; with what a list shows of them."""
        files = self._reader()
        file = files_of_record(part.files or {})[RUNS]
        content = await files.content(file)
        found = [row["id"] for row in await files.decoded(file, content, ("id", *columns), by="id") if fits(row)]
        # What a list shows is more than it is chosen by, and most of it would be for nothing.
        return await files.decoded(file, content, LISTED, by="id", wanted=frozenset(found[-limit:]))

    async def with_words(self, part: Part, between: tuple[UUID, UUID], having: Having, limit: int) -> list[Row]:
        """The newest ``limit`` runs of a part, between these two, whose errors have the words; as ``listed``."""
        after, before = between
        files = self._reader()
        file = files_of_record(part.files or {})[RUNS]
        content = await files.content(file)
        messages = {
            UUID(row["id"]): row["error_message"]
            for row in await files.decoded(file, content, ("id", "error_message"), by="id")
            if row["error_message"] is not None and after < UUID(row["id"]) < before
        }
        found = sorted(await having(messages))[-limit:] if messages else []
        return await files.decoded(file, content, LISTED, by="id", wanted=frozenset(map(str, found)))

    async def _holding(self, workspace_id: UUID, first: UUID, last: UUID, limit: int) -> list[Part]:
        async with self._context.database.tenant(workspace_id) as tx:
            return await parts.holding(tx, workspace_id, first, last, limit)

    def _reader(self) -> ArchiveFiles:
        if self._files is None:
            raise NoArchive("the run is in the archive, which cannot be read from here")
        return self._files


LISTED = (
    "id",
    "started_at",
    "workflow_id",
    "version_id",
    "status",
    "trigger_kind",
    "resource",
    "finished_at",
    "duration_ms",
    "error_message",
    "labels",
    "mode",
)
"""What a list shows, and is filtered by."""
