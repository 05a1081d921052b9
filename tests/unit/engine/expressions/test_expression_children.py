"""The child processes: confined, replaced when they end, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from headgate.engine.expressions.evaluator import CelEvaluator
from headgate.engine.expressions.protocol import Limits
from headgate.engine.expressions.worker import EvaluatorUnavailableError, Worker
from headgate.engine.types import ExpressionError


@pytest.fixture
async def evaluator() -> AsyncIterator[CelEvaluator]:
    evaluator = CelEvaluator(children=1)
    yield evaluator
    await evaluator.aclose()


def pids(evaluator: CelEvaluator) -> list[int]:
    return [worker.pid for worker in evaluator._idle]


def exists(pid: int) -> bool:
    """Also when it is a zombie."""
    return Path(f"/proc/{pid}").exists()


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def limits_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return {line[:26].strip(): line[26:].split()[0] for line in lines}


def environment_of(pid: int) -> list[str]:
    return [entry for entry in Path(f"/proc/{pid}/environ").read_text().split("\0") if entry]


def first_to_be_killed(pid: int) -> bool:
    return Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "1000"


def open_files_of(pid: int) -> set[str]:
    return {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.001)


async def freeze(evaluator: CelEvaluator) -> int:
    """Stop the evaluator's only child, as if it were busy for ever."""
    assert await evaluator.evaluate("1", {}) == 1
    [pid] = pids(evaluator)
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: status_of(pid)["State"].startswith("T"))
    return pid


async def test_nothing_is_started_before_it_is_needed(evaluator: CelEvaluator) -> None:
    assert pids(evaluator) == []
    await evaluator.evaluate("1", {})
    assert len(pids(evaluator)) == 1


async def test_the_child_learns_nothing_of_our_environment(
    evaluator: CelEvaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@db/headgate")
    await evaluator.evaluate("1", {})
    [pid] = pids(evaluator)

    names = {entry.partition("=")[0] for entry in environment_of(pid)}

    assert names == {"PYTHONPATH", "LANG", "TZDIR"}


async def test_the_child_holds_no_open_file_but_its_socket(evaluator: CelEvaluator) -> None:
    ours = os.open(__file__, os.O_RDONLY)
    os.set_inheritable(ours, True)
    await evaluator.evaluate("1", {})
    [pid] = pids(evaluator)
    os.close(ours)

    assert {name.partition(":")[0] for name in open_files_of(pid)} == {"socket", "/dev/null"}


async def test_the_child_is_confined(evaluator: CelEvaluator) -> None:
    await evaluator.evaluate("1", {})
    [pid] = pids(evaluator)

    limits = limits_of(pid)

    assert status_of(pid)["NoNewPrivs"] == "1"
    assert first_to_be_killed(pid)
    assert (limits["Max file size"], limits["Max core file size"], limits["Max processes"]) == ("0", "0", "0")
    size = int(status_of(pid)["VmSize"].split()[0]) * 1024
    assert 100 * 2**20 < int(limits["Max address space"]) - size <= 128 * 2**20


async def test_a_child_that_ended_while_idle_is_replaced(evaluator: CelEvaluator) -> None:
    await evaluator.evaluate("1", {})
    [pid] = pids(evaluator)

    os.kill(pid, signal.SIGKILL)

    assert await evaluator.evaluate("2", {}) == 2
    assert pids(evaluator) != [pid]


async def test_an_expression_is_tried_again_when_its_child_is_killed(evaluator: CelEvaluator) -> None:
    pid = await freeze(evaluator)
    under_way = asyncio.create_task(evaluator.evaluate("1 + 1", {}))
    await until(lambda: pids(evaluator) == [])

    os.kill(pid, signal.SIGKILL)

    assert await under_way == 2


async def test_an_expression_whose_children_keep_being_killed_is_given_up(
    evaluator: CelEvaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Worker.start

    async def start_and_kill(limits: Limits) -> Worker:
        worker = await start(limits)
        os.kill(worker.pid, signal.SIGKILL)
        return worker

    monkeypatch.setattr(Worker, "start", start_and_kill)

    with pytest.raises(ExpressionError, match="more than once"):
        await evaluator.evaluate("1", {})


async def test_an_expression_that_crashes_its_child_is_not_tried_again(evaluator: CelEvaluator) -> None:
    pid = await freeze(evaluator)
    under_way = asyncio.create_task(evaluator.evaluate("1 + 1", {}))
    await until(lambda: pids(evaluator) == [])

    os.kill(pid, signal.SIGSEGV)
    os.kill(pid, signal.SIGCONT)

    with pytest.raises(ExpressionError, match="crashes the evaluator"):
        await under_way


async def test_a_child_that_stops_answering_is_replaced(evaluator: CelEvaluator) -> None:
    pid = await freeze(evaluator)
    # Not before: it had to answer once.
    evaluator._patience = 0.05

    with pytest.raises(ExpressionError, match=r"did not end within 0\.05 s"):
        await evaluator.evaluate("1 + 1", {})

    assert not exists(pid)


async def test_a_cancelled_evaluation_leaves_no_answer_to_the_next() -> None:
    evaluator = CelEvaluator(children=1)
    pid = await freeze(evaluator)
    under_way = asyncio.create_task(evaluator.evaluate("'old'", {}))
    await until(lambda: pids(evaluator) == [])

    under_way.cancel()

    with pytest.raises(asyncio.CancelledError):
        await under_way
    assert await evaluator.evaluate("'new'", {}) == "new"
    assert not exists(pid)
    await evaluator.aclose()


async def test_a_child_whose_memory_ran_out_is_replaced() -> None:
    limits = Limits(expression_seconds=20, request_seconds=20, memory_bytes=2**24)
    evaluator = CelEvaluator(limits, children=1, patience_seconds=120)
    await evaluator.evaluate("1", {})
    [first] = pids(evaluator)

    with pytest.raises(ExpressionError, match="more than 16 MB of memory"):
        await evaluator.evaluate(
            "inputs.l.map(x, inputs.s + inputs.s)", {"inputs": {"l": [1] * 500, "s": "x" * 50_000}}
        )

    assert await evaluator.evaluate("2", {}) == 2
    assert not exists(first)
    await evaluator.aclose()


async def test_a_worn_out_child_is_replaced() -> None:
    evaluator = CelEvaluator(children=1, answers_per_child=2)
    await evaluator.evaluate("1", {})
    [first] = pids(evaluator)

    await evaluator.evaluate("2", {})

    assert pids(evaluator) == []
    assert not exists(first)
    await evaluator.aclose()


async def test_one_slow_expression_does_not_hold_up_others() -> None:
    evaluator = CelEvaluator(children=2, patience_seconds=120)
    frozen = await freeze(evaluator)
    slow = asyncio.create_task(evaluator.evaluate("'slow'", {}))
    await until(lambda: pids(evaluator) == [])

    assert await evaluator.evaluate("'quick'", {}) == "quick"
    assert not slow.done()

    os.kill(frozen, signal.SIGCONT)
    assert await slow == "slow"
    await evaluator.aclose()


async def test_many_at_once_get_their_own_answers() -> None:
    evaluator = CelEvaluator(children=2)

    results = await asyncio.gather(*(evaluator.evaluate("inputs.n", {"inputs": {"n": n}}) for n in range(50)))

    assert results == list(range(50))
    assert len(pids(evaluator)) <= 2
    await evaluator.aclose()


async def test_closing_leaves_no_process_behind() -> None:
    evaluator = CelEvaluator(children=2)
    await asyncio.gather(*(evaluator.evaluate("1", {}) for _ in range(10)))
    started = pids(evaluator)

    await evaluator.aclose()

    assert started
    assert not any(exists(pid) for pid in started)
    with pytest.raises(EvaluatorUnavailableError, match="closed"):
        await evaluator.evaluate("1", {})


async def test_an_idle_child_that_ends_is_reaped_without_being_asked(evaluator: CelEvaluator) -> None:
    await evaluator.evaluate("1", {})
    [pid] = pids(evaluator)

    os.kill(pid, signal.SIGKILL)

    await until(lambda: not exists(pid))


async def test_a_child_ends_when_the_operator_does() -> None:
    worker = await Worker.start(Limits())
    worker._writer.close()

    await until(lambda: not worker.alive)

    assert await worker.stop() == 0


@pytest.mark.parametrize(
    ("executable", "message"), [("/nonexistent", "cannot start a process"), ("/bin/false", "did not become ready")]
)
async def test_without_a_process_the_expression_is_not_to_blame(
    evaluator: CelEvaluator, monkeypatch: pytest.MonkeyPatch, executable: str, message: str
) -> None:
    monkeypatch.setattr(sys, "executable", executable)

    with pytest.raises(EvaluatorUnavailableError, match=message):
        await evaluator.evaluate("1", {})
