"""A script that is executed by itself: what comes out, for the pod's log and for its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from headgate.domain.alone import failure_in
from headgate.domain.task import Outcome
from headgate.runner.alone import End, execute, work
from tests.support.script_pods import environment_of, executed
from tests.support.waiting import eventually
from tests.workload_builders import a_script_task, job_of

PASSWORD = "correct-horse-battery"
TOKEN = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}}]
GIVE = 'import json, os\nwith open(os.environ["HEADGATE_OUTPUT"], "w") as file:\n    json.dump({}, file)\n'


@dataclass
class Pod:
    """The environment of a pod as the kubelet makes it, and what the container printed there."""

    environment: dict[str, str]
    log: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, source: str, language: str = "shell", secrets: Mapping[str, str] | None = None, **script: Any) -> Pod:
        """That of a script; ``secrets`` are values by the names of the Secrets."""
        return cls(environment_of(job_of(a_script_task(source, language, **script)), secrets))

    def show(self, stream: str, text: str) -> None:
        self.log.append((stream, text))

    async def is_ready(self) -> bool:
        """Whether the script says so."""
        return ("stdout", "ready\n") in self.log

    async def end(self) -> End:
        return await execute(self.environment, self.show, grace=5.0)


def failure(end: End) -> Outcome:
    found = failure_in(end.said)
    assert found is not None, end
    return found


async def test_what_a_script_gives_is_what_is_said_in_the_end() -> None:
    source = GIVE.replace("{}", '{"rows": int(os.environ["ROWS"]) * 2, "of": os.environ["HEADGATE_NODE"]}')

    end = await Pod.of(source, "python", env=[{"name": "ROWS", "value": "21"}]).end()

    assert (end.code, json.loads(end.said)) == (0, {"rows": 42, "of": "extract"})


async def test_a_script_that_gives_nothing_says_nothing() -> None:
    assert await Pod.of("true").end() == End(0, "")


async def test_what_it_prints_is_shown_as_it_was_printed() -> None:
    pod = Pod.of("printf 'one\\ntwo'; sleep 0.1; echo three >&2")

    await pod.end()

    assert sorted(pod.log) == [("stderr", "three\n"), ("stdout", "one\n"), ("stdout", "two")]


async def test_a_failure_is_told_as_a_runner_tells_it() -> None:
    end = await Pod.of("echo no disk >&2; exit 3").end()

    assert end.code == 3
    assert failure(end) == Outcome(False, None, "ExitCode", "exited with code 3: no disk", 3)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("head -c 5000 /dev/zero | tr '\\0' x > $HEADGATE_OUTPUT", "more than 4096 bytes"),
        ("echo '{' > $HEADGATE_OUTPUT", "is not JSON"),
        ("echo NaN > $HEADGATE_OUTPUT", "the output is not JSON"),
    ],
)
async def test_an_output_that_cannot_be_kept_is_a_clear_failure(source: str, words: str) -> None:
    end = await Pod.of(source).end()

    assert (end.code, failure(end).reason) == (1, "InvalidOutput")
    assert words in failure(end).message


async def test_it_sees_nothing_of_what_its_pod_was_told() -> None:
    pod = Pod.of("env", secrets={"api": PASSWORD}, env=[{"name": "A", "value": "1"}, *TOKEN])

    await pod.end()

    seen = "".join(text for _, text in pod.log)
    assert "A=1\n" in seen
    assert "HEADGATE_ALONE_" not in seen
    assert "HEADGATE_SECRET_" not in seen
    assert "/dev/termination-log" not in seen


async def test_secrets_reach_the_script_and_nobody_else() -> None:
    source = 'echo "$TOKEN"; echo "\\"$TOKEN\\"" > $HEADGATE_OUTPUT; test "$TOKEN" = correct-horse-battery'
    pod = Pod.of(source, secrets={"api": PASSWORD}, env=TOKEN)

    end = await pod.end()

    assert (end.code, end.said, pod.log) == (0, '"[redacted]"', [("stdout", "[redacted]\n")])


async def test_nor_does_a_failure_tell_one() -> None:
    end = await Pod.of('echo "$TOKEN" >&2; exit 1', secrets={"api": PASSWORD}, env=TOKEN).end()

    assert failure(end).message == "exited with code 1: [redacted]"


async def test_a_credential_cannot_be_had() -> None:
    env = [{"name": "TOKEN", "valueFrom": {"credentialKeyRef": {"name": "shop", "key": "token"}}}]

    end = await Pod.of("true", env=env).end()

    assert failure(end).reason == "MissingCredential"


@pytest.mark.parametrize("text", ["", "{", '{"language": "perl", "source": "correct-horse-battery"}'])
async def test_what_it_cannot_read_it_does_not_repeat(text: str) -> None:
    pod = Pod.of("true")
    pod.environment["HEADGATE_ALONE_SCRIPT_0"] = text

    end = await pod.end()

    assert (end.code, failure(end).reason) == (1, "InvalidTask")
    assert PASSWORD not in end.said


async def test_processor_time_is_limited_to_that_of_the_attempt() -> None:
    pod = Pod.of("while :; do :; done")
    pod.environment["HEADGATE_ALONE_TIMEOUT_SECONDS"] = "1"

    end = await pod.end()

    assert failure(end).exit_code == 152
    assert "it used more processor time than its node's timeout" in failure(end).message


async def test_a_script_that_is_asked_to_end_does_so_before_the_container(tmp_path: Path) -> None:
    said, message = tmp_path / "said", tmp_path / "message"
    pod = Pod.of(f"trap 'echo asked > {said}; exit' TERM; echo ready; sleep 600 & wait")
    pod.environment["HEADGATE_OUTPUT"] = str(message)
    working = asyncio.create_task(work(pod.environment, pod.show))
    await eventually(pod.is_ready, within=10, what="the script")

    os.kill(os.getpid(), signal.SIGTERM)

    assert await working == 143
    assert said.read_text() == "asked\n"
    assert not message.exists()


async def test_the_program_prints_and_says_how_it_ended(tmp_path: Path) -> None:
    ended = await executed(job_of(a_script_task("echo hello; echo 7 > $HEADGATE_OUTPUT")), tmp_path)

    assert (ended.code, ended.log, ended.said) == (0, "hello\n", "7")
