"""The gateway, as a runner sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx
from pydantic import ValidationError

from headgate.domain.runner_protocol import (
    CLAIM_PATH,
    COMPLETE_PATH,
    CREDENTIALS_PATH,
    HEARTBEAT_PATH,
    RELEASE_PATH,
    Answer,
    Attempt,
    Claim,
    Completion,
    Kept,
    Kind,
    Message,
    Released,
    Result,
    Task,
    Wanted,
)

M = TypeVar("M", bound=Message)
T = TypeVar("T")

_TIMEOUT_SECONDS = 15.0
_SHOWN = 256


class NotOurs(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The attempt is not this runner's any more."""


class GatewayUnavailable(Exception):  # noqa: N818 - a state of the world, not a mistake
    """No answer came, or none that helps: try again later."""


class GatewayRefused(Exception):  # noqa: N818 - what the gateway said
    """The gateway understood and refused, and will again."""


class Gateway:
    """Claims, keeps and completes attempts. Every method raises ``GatewayUnavailable`` and ``GatewayRefused``."""

    def __init__(self, http: httpx.AsyncClient, token_path: Path) -> None:
        """``http`` has the gateway's base URL. The token is read anew for every request, as the kubelet renews it."""
        self._http = http
        self._token_path = token_path

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
        response = await self._post(HEARTBEAT_PATH, attempt)
        # A gateway of the release before says nothing.
        return _read(Kept, response) if response.content else Kept()

    async def complete(self, task: Task, result: Result, kinds: tuple[Kind, ...] = ()) -> Task | None:
        """End the attempt; the next one of the run or, of a pool, one of these kinds. Raises ``NotOurs``."""
        done = Completion(run_id=task.run_id, node=task.node, attempt=task.attempt, result=result, kinds=kinds)
        return _answer(await self._post(COMPLETE_PATH, done))

    async def credentials(self, task: Task, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """What the attempt's node names of these credentials, by name and key. Raises ``NotOurs``."""
        wanted = Wanted(run_id=task.run_id, node=task.node, attempt=task.attempt, names=tuple(names))
        return _read(Released, await self._post(CREDENTIALS_PATH, wanted)).values

    async def _post(self, path: str, message: Message) -> httpx.Response:
        try:
            token = (await asyncio.to_thread(self._token_path.read_text)).strip()
            response = await self._http.post(
                path,
                # What is not said has its default, also for a gateway that does not know of it yet.
                content=message.model_dump_json(by_alias=True, exclude_defaults=True),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
                timeout=_TIMEOUT_SECONDS,
            )
        except (httpx.HTTPError, OSError) as error:
            raise GatewayUnavailable(f"no answer from the gateway: {type(error).__name__}") from None
        if response.is_success:
            return response
        if response.status_code == HTTPStatus.CONFLICT:
            raise NotOurs(_said(response))
        # A token may be refused because it has just run out: the kubelet has the next one.
        later = response.is_server_error or response.status_code in (
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.REQUEST_TIMEOUT,
        )
        refusal = GatewayUnavailable if later else GatewayRefused
        raise refusal(f"the gateway answered {response.status_code}: {_said(response)}")


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


def _answer(response: httpx.Response) -> Task | None:
    return _read(Answer, response).task


def _read(kind: type[M], response: httpx.Response) -> M:
    try:
        return kind.model_validate_json(response.content)
    except ValidationError:
        raise GatewayRefused("the gateway's answer cannot be read: it is of another release") from None


def _said(response: httpx.Response) -> str:
    try:
        return str(response.json().get("detail"))[:_SHOWN]
    except (ValueError, AttributeError):
        return response.text[:_SHOWN]
