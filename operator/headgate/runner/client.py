"""The gateway, as a runner sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import aiohttp
from pydantic import ValidationError

from headgate.domain.artifacts import sending_seconds
from headgate.domain.runner_protocol import (
    ANNOUNCE_PATH,
    ARTIFACT_FIELD,
    ARTIFACT_PATH,
    CLAIM_PATH,
    COMPLETE_PATH,
    CREDENTIALS_PATH,
    CURSOR_PATH,
    HEARTBEAT_PATH,
    RELEASE_PATH,
    Announcement,
    Answer,
    Attempt,
    Claim,
    Completion,
    Cursor,
    Kept,
    Kind,
    Mark,
    Message,
    Released,
    Result,
    Sent,
    Task,
    Wanted,
)
from headgate.runner.errors import NodeFailed
from headgate.runner.left import Left

M = TypeVar("M", bound=Message)
T = TypeVar("T")

_TIMEOUT = aiohttp.ClientTimeout(total=20.0, connect=5.0)
"""Longer than a request may wait at the gateway."""
_TOKEN_SECONDS = 30.0
"""The kubelet renews a token long before it ends."""
_SHOWN = 256
_DETAIL = 768


class NotOurs(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The attempt is not this runner's any more."""


class GatewayUnavailable(Exception):  # noqa: N818 - a state of the world, not a mistake
    """No answer came, or none that helps: try again later."""


class GatewayRefused(Exception):  # noqa: N818 - what the gateway said
    """The gateway understood and refused, and will again."""


class ArtifactRefused(Exception):  # noqa: N818 - what the gateway said
    """Files of an attempt are not kept, and never will be."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        """One word."""
        self.detail = detail
        """For the workflow's author."""


class Token:
    """The token that proves who a runner is, which the kubelet renews in its file."""

    def __init__(self, path: Path, monotonic: Callable[[], float]) -> None:
        self._path = path
        self._monotonic = monotonic
        self._known: tuple[float, str] | None = None

    def __repr__(self) -> str:
        return f"Token({self._path})"

    async def text(self) -> str:
        """The token, read at most half a minute ago. Raises ``OSError``."""
        now = self._monotonic()
        if self._known is None or now >= self._known[0]:
            read = (await asyncio.to_thread(self._path.read_text)).strip()
            self._known = now + _TOKEN_SECONDS, read
        return self._known[1]

    def forget(self) -> None:
        """Read it anew next time."""
        self._known = None


class Gateway:
    """Claims, keeps and completes attempts. Every method raises ``GatewayUnavailable`` and ``GatewayRefused``."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: Token) -> None:
        """``url`` is the gateway's."""
        self._http = http
        self._url = url.rstrip("/")
        self._token = token

    async def claim(self, run_id: UUID) -> Task | None:
        """The next attempt, or None where there is nothing to do."""
        return _answer(await self._post(CLAIM_PATH, Claim(run_id=run_id)))

    async def claim_of_any(self, kinds: tuple[Kind, ...], wait_seconds: float) -> Task | None:
        """The next attempt of these kinds of any run of the namespace, or None where there is none within that time."""
        return _answer(await self._post(CLAIM_PATH, Claim(kinds=kinds, wait_seconds=wait_seconds)))

    async def give_back(self, task: Task) -> None:
        """Let another runner begin the attempt. Raises ``NotOurs``."""
        await self._post(RELEASE_PATH, Attempt(run_id=task.run_id, node=task.node, attempt=task.attempt))

    async def heartbeat(self, task: Task) -> Kept:
        """Keep the attempt, and learn whether it is to end. Raises ``NotOurs``."""
        attempt = Attempt(run_id=task.run_id, node=task.node, attempt=task.attempt)
        content = await self._post(HEARTBEAT_PATH, attempt)
        # A gateway of the release before says nothing.
        return _read(Kept, content) if content else Kept()

    async def complete(self, task: Task, result: Result, kinds: tuple[Kind, ...] = ()) -> Task | None:
        """End the attempt; the next one of the run or, of a pool, one of these kinds. Raises ``NotOurs``."""
        done = Completion(run_id=task.run_id, node=task.node, attempt=task.attempt, result=result, kinds=kinds)
        try:
            return _answer(await self._post(COMPLETE_PATH, done))
        except GatewayRefused:
            if result.printed is None:
                raise
        # A gateway of the release before knows nothing of it: the end matters more.
        return await self.complete(task, result.model_copy(update={"printed": None}), kinds)

    async def credentials(self, task: Task, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """What the attempt's node names of these credentials, by name and key. Raises ``NotOurs``."""
        wanted = Wanted(run_id=task.run_id, node=task.node, attempt=task.attempt, names=tuple(names))
        return _read(Released, await self._post(CREDENTIALS_PATH, wanted)).values

    async def cursor(self, task: Task) -> Mark:
        """How far the attempt's copy has come; it alone may move on from there. Raises ``NotOurs``."""
        wanted = Cursor(run_id=task.run_id, node=task.node, attempt=task.attempt)
        return _read(Mark, await self._post(CURSOR_PATH, wanted))

    async def move_cursor(self, task: Task, mark: Mark, records: int) -> None:
        """The attempt's copy has come that far, by so many records. Raises ``NotOurs``."""
        moved = Cursor(run_id=task.run_id, node=task.node, attempt=task.attempt, moved=mark, records=records)
        await self._post(CURSOR_PATH, moved)

    async def announce(self, task: Task, sizes: Sequence[int]) -> None:
        """Tell of files of these sizes that the attempt left. Raises ``NotOurs`` and ``ArtifactRefused``."""
        told = Announcement(run_id=task.run_id, node=task.node, attempt=task.attempt, sizes=tuple(sizes))
        await self._post(ANNOUNCE_PATH, told)

    async def send(self, task: Task, file: Left) -> None:
        """Send one of them. Raises ``NotOurs`` and ``ArtifactRefused``, and ``NodeFailed`` where it was changed."""
        said = Sent(run_id=task.run_id, node=task.node, attempt=task.attempt, name=file.name)
        headers = {
            ARTIFACT_FIELD: said.model_dump_json(by_alias=True),
            "Content-Type": "application/octet-stream",
            "Content-Length": str(file.size),
        }
        timeout = aiohttp.ClientTimeout(total=sending_seconds(file.size) + 20.0, connect=5.0)
        broken: list[NodeFailed] = []

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in file.pieces():
                    yield piece
            except NodeFailed as error:
                # The client would tell of a connection that broke off.
                broken.append(error)
                raise

        try:
            await self._ask("PUT", ARTIFACT_PATH, pieces() if file.size else b"", headers, timeout)
        except GatewayUnavailable:
            for error in broken:
                raise error from None
            raise

    async def _post(self, path: str, message: Message) -> bytes:
        # What is not said has its default, also for a gateway that does not know of it yet.
        body = message.model_dump_json(by_alias=True, exclude_defaults=True).encode()
        return await self._ask("POST", path, body, {"Content-Type": "application/json"}, _TIMEOUT)

    async def _ask(
        self,
        method: str,
        path: str,
        body: bytes | AsyncIterator[bytes],
        about: Mapping[str, str],
        bound: aiohttp.ClientTimeout,
    ) -> bytes:
        try:
            headers = {"Authorization": f"Bearer {await self._token.text()}", **about}
            async with self._http.request(
                method, self._url + path, data=body, headers=headers, timeout=bound, allow_redirects=False
            ) as response:
                content, status = await response.read(), response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise GatewayUnavailable(f"no answer from the gateway: {type(error).__name__}") from None
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return content
        if status == HTTPStatus.CONFLICT:
            raise NotOurs(_said(content))
        if status == HTTPStatus.UNAUTHORIZED:
            # It may have just run out: the kubelet has the next one.
            self._token.forget()
        later = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in (
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.REQUEST_TIMEOUT,
        )
        if not later and path in (ANNOUNCE_PATH, ARTIFACT_PATH) and (reason := _member(content, "reason")):
            raise ArtifactRefused(reason, _member(content, "detail"))
        refusal = GatewayUnavailable if later else GatewayRefused
        raise refusal(f"the gateway answered {status}: {_said(content)}")


async def patiently(
    ask: Callable[[], Awaitable[T]], *, sleep: Callable[[float], Awaitable[None]], patience: float
) -> T:
    """Ask until there is an answer, with growing pauses. Raises ``GatewayUnavailable`` when patience has run out."""
    pause, waited = 0.2, 0.0
    while True:
        try:
            return await ask()
        except GatewayUnavailable:
            if waited >= patience:
                raise
        await sleep(pause)
        waited += pause
        pause = min(pause * 2, 10.0)


def _answer(content: bytes) -> Task | None:
    return _read(Answer, content).task


def _read(kind: type[M], content: bytes) -> M:
    try:
        return kind.model_validate_json(content)
    except ValidationError:
        raise GatewayRefused("the gateway's answer cannot be read: it is of another release") from None


def _member(content: bytes, name: str) -> str:
    """A text of a problem's; empty where there is none."""
    try:
        found = json.loads(content).get(name)
    except (ValueError, AttributeError, RecursionError):
        return ""
    return found[:_DETAIL] if isinstance(found, str) else ""


def _said(content: bytes) -> str:
    try:
        return str(json.loads(content).get("detail"))[:_SHOWN]
    except (ValueError, AttributeError, RecursionError):
        return content.decode("utf-8", "replace")[:_SHOWN]
