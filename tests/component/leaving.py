"""A runner that leaves files, as tests speak of it: what it says to a gateway, and what lies in the object store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from headgate.engine.steps.left_files import SentFile
from headgate.objects.object_store import ObjectStore
from tests.builders import WorkflowBuilder, a_workflow
from tests.component.api_client import Api
from tests.component.world import World

SCRIPT = {"script": {"language": "shell", "source": "true"}}


def scripted(name: str = "nightly", **members: Any) -> WorkflowBuilder:
    """A workflow of one script, ``work``."""
    return a_workflow(name).with_node("work", SCRIPT, **members)


@dataclass
class Leaver:
    """The runner of a run, which holds the first attempt of ``work``."""

    api: Api
    run: UUID
    token: str = "token-1"

    async def claim(self) -> None:
        """Take what is due, which must be something."""
        self.api.server.knows(self.token, self.run, uid=self.token)
        answer = await self.post("claim", {"runId": str(self.run)})
        assert answer.json()["task"] is not None, answer.text

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return await self.api.http.post(f"/runner/v1/{path}", json=body, headers=self._token())

    async def announce(self, *sizes: int, **more: Any) -> httpx.Response:
        """Tell of files of these sizes."""
        return await self.post("artifacts", {**self.attempt(), "sizes": sizes, **more})

    async def send(
        self, name: str, content: bytes | AsyncIterator[bytes], *, length: int | None = None, **more: Any
    ) -> httpx.Response:
        """Send a file, with another ``length`` than it has where one is given."""
        size = length if length is not None else len(content) if isinstance(content, bytes) else 0
        said = json.dumps({**self.attempt(), "name": name, **more})
        headers = {**self._token(), "Headgate-Artifact": said, "Content-Length": str(size)}
        return await self.api.http.put("/runner/v1/artifact", content=content, headers=headers)

    async def left(self, **files: bytes) -> None:
        """Tell of files and send them, all of which must be kept. Of their names an ``_`` is a dot."""
        answers = [await self.announce(*map(len, files.values()))]
        answers += [await self.send(name.replace("_", "."), content) for name, content in files.items()]
        assert [answer.status_code for answer in answers] == [204] * len(answers), answers[-1].text

    async def complete(self, **result: Any) -> httpx.Response:
        """End the attempt, well unless it is said otherwise."""
        return await self.post("complete", {**self.attempt(), "result": {"succeeded": True, **result}})

    def attempt(self) -> dict[str, Any]:
        return {"runId": str(self.run), "node": "work", "attempt": 1}

    def _token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


async def a_leaver(api: Api, workflow: WorkflowBuilder | None = None, token: str = "token-1") -> Leaver:
    """The runner of a new run."""
    await api.world.given(workflow or scripted())
    leaver = Leaver(api, await api.world.admit(), token)
    await leaver.claim()
    return leaver


async def noted(world: World) -> list[dict[str, Any]]:
    """The rows, by name."""
    return await world.rows("SELECT * FROM headgate.run_artifacts ORDER BY execution_id, node, attempt, name")


async def lying(objects: ObjectStore) -> dict[str, bytes]:
    """All objects, by path."""
    return {item.path: await objects.get(item.path) async for item in objects.list("")}


async def assert_all_there(world: World, objects: ObjectStore) -> None:
    """What is noted lies there, and nothing else does."""
    there = await lying(objects)
    assert {row["path"]: (row["bytes"], row["sha256"]) for row in await noted(world)} == {
        path: (len(content), hashlib.sha256(content).hexdigest()) for path, content in there.items()
    }


async def leave(
    world: World,
    objects: ObjectStore,
    run: UUID,
    name: str,
    content: bytes,
    *,
    workspace: str = "acme",
    attempt: int = 1,
) -> str:
    """Put a file there and note it, whoever holds the attempt: as of a run that ended. Where it lies."""
    ref = world.ref(run, "work", attempt, workspace)
    path = (await world.engine.left_files.expect(ref, "runner-1", name, len(content))).path
    await objects.put(path, content)
    file = SentFile(name, path, len(content), hashlib.sha256(content).hexdigest())
    settled = await world.engine.left_files.record(ref, "runner-1", file)
    assert not settled.reason, settled
    return path


async def left_by_a_run(world: World, objects: ObjectStore, *, workspace: str = "acme", **files: bytes) -> UUID:
    """A run that succeeded and left files. Of their names an ``_`` is a dot."""
    await world.given(scripted(), workspace)
    run = await world.admit(workspace=workspace)
    await hold(world, run, workspace)
    for name, content in files.items():
        await leave(world, objects, run, name.replace("_", "."), content, workspace=workspace)
    await world.succeed(run, workspace=workspace)
    return run


async def hold(world: World, run: UUID, workspace: str = "acme") -> None:
    """Have ``runner-1`` take what is due of the run."""
    task, _ = await world.engine.runner_tasks.claim(
        world.ids[workspace], "acme", run, "runner-1", timedelta(seconds=15)
    )
    assert task is not None
