"""Files that a script left are sent to the gateway: all of them, or the attempt says why not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from headgate.domain.runner_protocol import Task
from headgate.runner.client import ArtifactRefused, GatewayRefused, GatewayUnavailable, NotOurs
from headgate.runner.errors import NodeFailed
from headgate.runner.keeping import keep
from headgate.runner.left import Left
from headgate.runner.secrets import Secrets
from tests.unit.runner.tasks import a_task, an_executor, script

LEAVES = script('cd "$HEADGATE_ARTIFACTS"; echo one > a.txt; printf 22 > b')


@dataclass
class Played:
    """A gateway that answers as it is told."""

    answers: dict[str, list[Exception]] = field(default_factory=dict)
    """What is raised for each word in turn, before it is heard."""
    heard: list[Any] = field(default_factory=list)

    async def announce(self, _task: Task, sizes: Sequence[int]) -> None:
        self._raise("announce")
        self.heard.append(tuple(sizes))

    async def send(self, _task: Task, file: Left) -> None:
        content = b"".join([piece async for piece in file.pieces()])
        self._raise(file.name)
        self.heard.append((file.name, content))

    def _raise(self, word: str) -> None:
        if answers := self.answers.get(word):
            raise answers.pop(0)


@dataclass(frozen=True)
class Text:
    """A file that holds a text."""

    name: str
    text: bytes

    @property
    def size(self) -> int:
        return len(self.text)

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self.text


@pytest.fixture
def shelf() -> Played:
    return Played()


async def ended(shelf: Played, work: dict[str, Any] = LEAVES, a: str = "unused") -> Any:
    return await replace(an_executor(a=a), shelf=shelf).execute(a_task(work))


async def patiently_kept(shelf: Played) -> float:
    """Keep two files, and return for how long it was waited; time passes by itself."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    files = [Text("a.txt", b"one\n"), Text("b", b"22")]
    await keep(shelf, a_task({}), files, Secrets({}).redactor(), sleep)
    return sum(pauses)


async def test_they_are_told_of_and_sent_by_name(shelf: Played) -> None:
    result = await ended(shelf)

    assert (result.succeeded, shelf.heard) == (True, [(4, 2), ("a.txt", b"one\n"), ("b", b"22")])


async def test_a_script_that_leaves_none_says_nothing(shelf: Played) -> None:
    assert (await ended(shelf, script("true"))).succeeded
    assert shelf.heard == []


async def test_a_gateway_that_is_away_for_a_while_gets_them_from_the_beginning(shelf: Played) -> None:
    shelf.answers = {"announce": [GatewayUnavailable("away")], "a.txt": [GatewayUnavailable("away")] * 2}

    assert await patiently_kept(shelf) > 0
    assert shelf.heard == [(4, 2), ("a.txt", b"one\n"), ("b", b"22")]


async def test_what_finds_no_room_fails_the_attempt_in_the_gateways_words_and_gives_back_the_rest(
    shelf: Played,
) -> None:
    shelf.answers = {"b": [ArtifactRefused("StorageLimit", "the artifact b takes 2 bytes, and 1 are left")]}

    result = await ended(shelf)

    assert (result.succeeded, result.reason) == (False, "StorageLimit")
    assert result.message == "the artifact b takes 2 bytes, and 1 are left"
    assert shelf.heard == [(4, 2), ("a.txt", b"one\n"), ()]


@pytest.mark.parametrize("refusal", [GatewayRefused("the gateway answered 404"), NotOurs("not yours")])
async def test_what_is_refused_otherwise_fails_too(shelf: Played, refusal: Exception) -> None:
    shelf.answers = {"announce": [refusal]}

    result = await ended(shelf)

    assert (result.succeeded, result.reason) == (False, "ArtifactsNotKept")
    assert str(refusal) in result.message


async def test_a_gateway_that_stays_away_is_given_up(shelf: Played) -> None:
    shelf.answers = {"announce": [GatewayUnavailable("no answer")] * 1000}

    with pytest.raises(NodeFailed, match="no answer") as failure:
        await patiently_kept(shelf)

    assert failure.value.reason == "ArtifactsNotKept"


async def test_a_name_with_a_secret_in_it_goes_nowhere(shelf: Played) -> None:
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}]

    result = await ended(shelf, script('echo > "$HEADGATE_ARTIFACTS/$A"', env=env), a="swordfish")

    assert (result.reason, "swordfish" in result.message, shelf.heard) == ("InvalidArtifact", False, [])


async def test_a_runner_with_nowhere_to_keep_them_says_so() -> None:
    result = await an_executor().execute(a_task(LEAVES))

    assert (result.reason, "nowhere to keep files" in result.message) == ("ArtifactsNotKept", True)
