from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from headgate.api.workflow_run import NodePhase
from headgate.cli import log_reader
from headgate.cli.log_reader import LogReader, Replica, Unanswered
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import PODS
from headgate.domain.runner_log import FrameWriter
from headgate.engine.reading.step_logs import StepLogs
from headgate.engine.types import StepLog
from headgate.objects.object_store import ObjectStore
from tests.unit.cluster.fake_kube import FakeKube
from tests.workload_builders import RUN_ID, a_job, a_pod, a_task


class Recorded(StepLogs):
    """Knows of one attempt's log, as it is at each look."""

    def __init__(self) -> None:
        self.looks: list[StepLog] = []

    async def of(self, workspace_id: UUID, run_id: UUID, node: str, attempt: int | None = None) -> StepLog | None:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


class World:
    """What a reader reads from, and what it wrote."""

    def __init__(self) -> None:
        self.kube, self.kept, self.objects = FakeKube(), Recorded(), ObjectStore("memory://")
        self.written = b""
        self.reader = self.reads_as(Replica("headgate-1", "headgate-system"))

    def reads_as(self, replica: Replica) -> LogReader:
        return LogReader(self.kube, self.kept, self.objects, "acme", self.write, replica)

    def write(self, piece: bytes) -> None:
        self.written += piece

    def a_runner_wrote(self, *printed: tuple[str, str], number: int = 1, ended: str = "") -> None:
        """A runner of the run is there, and attempts in it printed so."""
        lines: list[str] = []
        writer = FrameWriter(lines.append)
        for node, text in printed:
            writer.begun(RUN_ID, node, 1)
            writer.printed(RUN_ID, node, 1, "stdout", text)
        if ended:
            writer.ended(RUN_ID, ended, 1)
        labels = {"headgate.dev/run": str(RUN_ID), "app.kubernetes.io/component": "runner"}
        metadata = {"name": f"runner-{number}", "namespace": "acme", "labels": labels}
        created = f"2026-03-01T12:00:0{number}Z"
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "creationTimestamp": created}, "status": {}}
        self.kube.put(PODS, pod)
        self.kube.logs[f"runner-{number}"] = "".join(f"{line}\n" for line in lines).encode()

    def a_pod_wrote(self, text: bytes, node: str = "extract") -> None:
        """A pod of the attempt is there, and wrote so."""
        pod = a_pod(a_job(a_task(node)), uid=node).running().manifest()
        self.kube.put(PODS, pod)
        self.kube.logs[pod["metadata"]["name"]] = text


def a_log(node: str = "extract", **members: Any) -> StepLog:
    """An attempt that runs; of its log nothing is known yet."""
    known: dict[str, Any] = {"phase": NodePhase.RUNNING, "path": None, "size": None, "truncated": False, **members}
    return StepLog(a_task(node).ref, **known)


async def test_what_is_kept_is_shown_byte_for_byte() -> None:
    world = World()
    await world.objects.put("there", b"\xff\x1b[31mred\n")

    await world.reader.show((a_log(path="there", size=8),), follow=False)

    assert world.written == b"\xff\x1b[31mred\n"
    assert world.kube.requests == []


async def test_until_it_is_kept_the_pod_is_asked() -> None:
    world = World()
    world.a_pod_wrote(b"so far\n")

    await world.reader.show((a_log(),), follow=False)

    assert world.written == b"so far\n"


async def test_several_have_their_names_before_them_and_one_that_is_missing_hides_no_other() -> None:
    world = World()
    await world.objects.put("there", b"one\n")
    logs = (
        a_log("first", path="there", size=4),
        a_log("second", path="gone", size=4),
        a_log("third", size=0),
        a_log("fourth", size=0, truncated=True),
    )

    await world.reader.show(logs, follow=False)

    assert world.written.decode().splitlines() == [
        "==> first, attempt 1 <==",
        "one",
        "==> second, attempt 1 <==",
        "headgate: the log is not in the object store any more: gone",
        "==> third, attempt 1 <==",
        "==> fourth, attempt 1 <==",
        "headgate: the log was not kept: maxStorageMB of the quota leaves no room for it",
    ]


async def test_what_is_not_in_the_store_is_shown_from_its_pod_while_that_is_there() -> None:
    world = World()
    world.a_pod_wrote(b"still here\n")

    await world.reader.show((a_log(phase=NodePhase.SUCCEEDED, path="elsewhere", size=11),), follow=False)

    assert world.written == b"still here\n"


@pytest.mark.parametrize(
    ("leader", "advice"),
    [
        ("headgate-2", "kubectl exec --namespace=headgate-system headgate-2 -- headgate node-logs"),
        ("headgate-1", "those of a replica that led before"),
        (None, "those of a replica that led before"),
    ],
)
async def test_of_a_log_in_another_replica_s_folder_it_says_whom_to_ask(
    tmp_path: Path, leader: str | None, advice: str
) -> None:
    world = World()
    world.objects = ObjectStore(f"file://{tmp_path}")
    reader = world.reads_as(Replica("headgate-1", "headgate-system", leader))

    with pytest.raises(Unanswered, match="not in the folder of headgate-1") as refused:
        await reader.show((a_log(phase=NodePhase.SUCCEEDED, path="elsewhere", size=11),), follow=False)

    assert advice in str(refused.value)


async def test_without_a_pod_and_without_a_kept_log_there_is_nothing() -> None:
    world = World()
    world.kept.looks = [a_log(phase=NodePhase.FAILED)]

    with pytest.raises(Unanswered, match="no log of extract, attempt 1, is kept"):
        await world.reader.show((a_log(phase=NodePhase.FAILED),), follow=False)


async def test_a_log_that_was_kept_meanwhile_is_found() -> None:
    world = World()
    await world.objects.put("there", b"one\n")
    world.kept.looks = [a_log(path="there", size=4)]

    await world.reader.show((a_log(),), follow=False)

    assert world.written == b"one\n"


async def test_following_waits_for_the_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "LOOK_AGAIN_SECONDS", 0.0)
    world = World()
    queued = a_log(phase=NodePhase.QUEUED)
    looks: list[Callable[[], None]] = [lambda: None, lambda: world.a_pod_wrote(b"one\n")]

    class Watching(Recorded):
        async def of(self, *_: Any) -> StepLog | None:
            looks.pop(0)()
            return queued

    world.kept = Watching()
    world.reader = world.reads_as(Replica("headgate-1", "headgate-system"))

    await world.reader.show((queued,), follow=True)

    assert world.written == b"one\n"


async def test_a_refusal_is_told() -> None:
    world = World()
    world.a_pod_wrote(b"one\n")
    world.kube.fail("log", ApiError(403, "Forbidden", "no"))

    with pytest.raises(ApiError, match="403"):
        await world.reader.show((a_log(),), follow=False)


async def test_of_a_runner_only_what_the_attempt_printed_is_shown() -> None:
    world = World()
    world.a_runner_wrote(("other", "not this\n"), ("extract", "so far\n"))

    await world.reader.show((a_log(),), follow=False)

    assert world.written == b"so far\n"


async def test_an_attempt_that_began_anew_is_shown_from_the_last_runner_that_has_it() -> None:
    world = World()
    for number, node in enumerate(("extract", "extract", "other"), start=1):
        world.a_runner_wrote((node, f"{number}\n"), number=number)

    await world.reader.show((a_log(),), follow=False)

    assert world.written == b"2\n"


async def test_following_ends_with_the_attempt_and_not_with_its_runner() -> None:
    world = World()
    world.a_runner_wrote(("extract", "all\n"), ended="extract")

    async def log(*_: Any, **options: Any) -> AsyncGenerator[bytes]:
        assert options["follow"]
        yield world.kube.logs["runner-1"]
        raise AssertionError("it went on")

    world.kube.log = log  # type: ignore[method-assign]

    await world.reader.show((a_log(),), follow=True)

    assert world.written == b"all\n"


async def test_an_attempt_that_no_runner_has_begun_has_no_log() -> None:
    world = World()
    world.a_runner_wrote(("other", "not this\n"))
    world.kept.looks = [a_log()]

    with pytest.raises(Unanswered, match="no log of extract, attempt 1, is kept"):
        await world.reader.show((a_log(),), follow=False)
