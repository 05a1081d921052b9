"""``script`` nodes: what goes in, what comes out, and that nothing runs on."""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path

import pytest

from headgate.domain.runner_log import Frame, FrameReader
from tests.support.waiting import eventually
from tests.unit.cluster.virtual_time import later
from tests.unit.runner.tasks import RUN, a_task, an_executor, script

SECRET_A = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}]


async def test_a_python_script_reads_its_variables_and_gives_an_output() -> None:
    source = """
import json, os
with open(os.environ["HEADGATE_OUTPUT"], "w") as file:
    json.dump({"rows": int(os.environ["ROWS"]) * 2, "node": os.environ["HEADGATE_NODE"]}, file)
"""
    task = a_task(script(source, "python", env=[{"name": "ROWS", "value": "21"}]))

    result = await an_executor().execute(task)

    assert (result.succeeded, result.output, result.exit_code) == (True, {"rows": 42, "node": "work"}, 0)


async def test_a_shell_script_without_output_succeeds_with_none() -> None:
    result = await an_executor().execute(a_task(script("true")))

    assert (result.succeeded, result.output) == (True, None)


async def test_a_failure_tells_its_code_and_what_was_printed_last() -> None:
    result = await an_executor().execute(a_task(script("echo no disk >&2; exit 3")))

    assert (result.succeeded, result.reason, result.exit_code) == (False, "ExitCode", 3)
    assert result.message == "exited with code 3: no disk"


async def test_a_script_that_is_killed_has_the_code_that_shells_give() -> None:
    result = await an_executor().execute(a_task(script("kill -9 $$")))

    assert (result.reason, result.exit_code) == ("ExitCode", 137)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("head -c 5000 /dev/zero | tr '\\0' x > $HEADGATE_OUTPUT", "more than 4096 bytes"),
        ("echo '{' > $HEADGATE_OUTPUT", "is not JSON"),
        ("ln -s /etc/hostname $HEADGATE_OUTPUT", "no plain file"),
        ("mkfifo $HEADGATE_OUTPUT", "no plain file"),
        ("mkdir $HEADGATE_OUTPUT", "no plain file"),
    ],
)
async def test_an_output_that_cannot_be_kept_is_a_clear_failure(source: str, words: str) -> None:
    result = await an_executor().execute(a_task(script(source)))

    assert (result.succeeded, result.reason) == (False, "InvalidOutput")
    assert words in result.message


async def test_the_whole_process_group_ends_with_the_timeout(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    source = f"sleep 600 & echo $! >> {pids}; echo $$ >> {pids}; wait"
    running = asyncio.create_task(an_executor().execute(a_task(script(source), timeout=600)))

    async def both() -> bool:
        return pids.exists() and pids.read_text().count("\n") == 2

    await eventually(both)
    later(600)
    result = await running

    assert (result.succeeded, result.reason) == (False, "Timeout")
    await eventually(lambda: _all_gone(pids), what="the end of both processes")


async def test_what_a_script_leaves_running_ends_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    result = await an_executor().execute(a_task(script(f"sleep 600 & echo $! > {pids}")))

    assert result.succeeded
    await eventually(lambda: _all_gone(pids), what="the end of what was left running")


async def test_giving_up_ends_the_script(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    running = asyncio.create_task(an_executor().execute(a_task(script(f"echo $$ > {pids}; sleep 600"))))

    async def started() -> bool:
        return pids.exists() and bool(_read(pids))

    await eventually(started)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await eventually(lambda: _all_gone(pids), what="the end of the script")


async def test_a_script_sees_nothing_of_the_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_RUNNER_GATEWAY_URL", "http://gateway")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    source = """import json, os; json.dump(sorted(os.environ), open(os.environ["HEADGATE_OUTPUT"], "w"))"""
    task = a_task(script(source, "python", env=SECRET_A))

    result = await an_executor(a="first-secret", other="second-secret").execute(task)

    assert set(result.output) - {"LC_CTYPE"} == {
        *("A", "HOME", "LANG", "PATH", "TMPDIR"),
        *(f"HEADGATE_{name}" for name in ("ARTIFACTS", "ATTEMPT", "NODE", "OUTPUT", "RUN", "WORKFLOW", "WORKSPACE")),
    }


def frames(lines: list[str]) -> list[Frame]:
    return FrameReader().add("".join(f"{line}\n" for line in lines).encode())


def printed(lines: list[str]) -> bytes:
    return b"".join(frame.printed for frame in frames(lines))


async def test_what_is_printed_is_told_with_whose_it_is_and_without_secrets() -> None:
    lines: list[str] = []
    task = a_task(script('echo "got $A"; echo bad >&2', env=SECRET_A))

    await an_executor(lines, a="hunter22").execute(task)

    assert {(frame.run_id, frame.node, frame.attempt) for frame in frames(lines)} == {(RUN, "work", 1)}
    assert sorted((frame.stream, frame.text) for frame in frames(lines) if frame.printed) == [
        ("stderr", "bad\n"),
        ("stdout", "got [redacted]\n"),
    ]


async def test_an_attempt_s_frames_begin_and_end_with_it() -> None:
    lines: list[str] = []

    await an_executor(lines).execute(a_task(script("echo one")))

    first, *_, last = frames(lines)
    assert first.begins
    assert last.ends


@pytest.mark.parametrize(
    "text",
    ["no end", "empty\n\n\nlines\n", "\x1b[31mred\x00\r\n", "ü€💣" * 20_000, "\x01" * 40_000 + "\n", '{"run": "x"}\n'],
)
async def test_whatever_is_printed_arrives_as_it_was(tmp_path: Path, text: str) -> None:
    lines: list[str] = []
    (tmp_path / "text").write_bytes(text.encode())

    await an_executor(lines).execute(a_task(script(f"cat {tmp_path}/text")))

    assert printed(lines) == text.encode()
    assert max(len(line.encode()) for line in lines) < 16_384


async def test_of_what_is_printed_beyond_all_bounds_beginning_and_end_are_told() -> None:
    lines: list[str] = []
    endless = "echo first; yes | head -c 3000000; echo last"

    await an_executor(lines).execute(a_task(script(endless)))

    said = printed(lines)
    assert len(said) < 1_100_000
    assert said.startswith(b"first\ny\n")
    assert said.endswith(b"y\nlast\n")
    [left_out] = re.findall(rb"\n\[headgate: (\d+) bytes of what was printed are left out here\]\n", said)
    note = len(b"[headgate:  bytes of what was printed are left out here]\n") + len(left_out)
    assert int(left_out) + len(said) - note == len("first\nlast\n") + 3_000_000


async def test_a_script_that_takes_too_long_is_asked_to_end_and_can_clean_up(tmp_path: Path) -> None:
    lines: list[str] = []
    # The program in the foreground says so: a shell that is asked to end just before it starts one waits for its end.
    source = f"trap 'echo cleaning; touch {tmp_path}/clean; exit 0' TERM; sh -c 'echo begun; exec sleep 600'"
    running = asyncio.create_task(an_executor(lines, grace=20).execute(a_task(script(source), timeout=600)))

    async def begun() -> bool:
        return b"begun" in printed(lines)

    await eventually(begun)
    later(600)
    result = await running

    assert (result.succeeded, result.reason) == (False, "Timeout")
    assert (tmp_path / "clean").exists()
    assert [frame.text for frame in frames(lines) if frame.stream == "stdout"] == ["begun\n", "cleaning\n"]


async def test_asking_again_does_not_shorten_its_time(tmp_path: Path) -> None:
    ready, asked, go = tmp_path / "ready", tmp_path / "asked", tmp_path / "go"
    source = f"trap 'touch {asked}; until test -e {go}; do sleep 0.05; done; touch {go}.seen; exit' TERM; "
    running = asyncio.create_task(
        an_executor(grace=30).execute(a_task(script(f"{source} touch {ready}; while :; do sleep 0.05; done")))
    )
    await eventually(lambda: _exists(ready))
    running.cancel()
    await eventually(lambda: _exists(asked))

    running.cancel()
    running.cancel()
    go.touch()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert (tmp_path / "go.seen").exists()


async def _exists(path: Path) -> bool:
    return path.exists()  # noqa: ASYNC240


async def test_a_secret_in_an_output_or_an_error_is_taken_out() -> None:
    given = await an_executor(a="hunter22").execute(
        a_task(script("""printf '{"%s": ["x%sy"]}' $A $A > $HEADGATE_OUTPUT""", env=SECRET_A))
    )
    failed = await an_executor(a="hunter22").execute(a_task(script("echo $A >&2; exit 1", env=SECRET_A)))

    assert given.output == {"[redacted]": ["x[redacted]y"]}
    assert failed.message == "exited with code 1: [redacted]"


async def test_a_missing_secret_fails_the_attempt() -> None:
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "k"}}}]

    result = await an_executor().execute(a_task(script("true", env=env)))

    assert (result.reason, result.message) == ("MissingSecret", "Secret absent has no key k")


async def _all_gone(pids: Path) -> bool:
    return not any(map(_runs, _read(pids)))


def _read(pids: Path) -> list[int]:
    return [int(pid) for pid in pids.read_text().split()]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # Those whose parent does not look stay as zombies.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


async def test_scripts_start_in_an_empty_folder_of_their_own_that_is_gone_afterwards() -> None:
    result = await an_executor().execute(a_task(script('ls -A > listing; printf \'"%s"\' "$PWD" > $HEADGATE_OUTPUT')))

    assert result.output.startswith("/")
    assert not os.path.exists(result.output)  # noqa: ASYNC240


async def test_a_script_that_ignores_signals_is_killed_when_its_time_is_over() -> None:
    begun = time.monotonic()

    result = await an_executor(grace=0.5).execute(
        a_task(script("trap '' TERM INT; while :; do sleep 1; done"), timeout=0.5)
    )

    assert result.reason == "Timeout"
    assert time.monotonic() - begun < 15
