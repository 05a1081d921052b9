"""One attempt: executed within its time, and told in a form that holds no secret and fits into a row."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from pydantic import ValidationError

from headgate.api.node import NodeConfig
from headgate.domain.runner_log import FrameWriter
from headgate.domain.runner_protocol import Result, Task
from headgate.domain.runner_task import GRACE_SECONDS, KINDS, credentials_of
from headgate.engine.bounds import OUTPUT_BYTES, check_json
from headgate.runner import connector, http, keeping, program, script, sql
from headgate.runner.client import GatewayRefused, GatewayUnavailable, NotOurs, patiently
from headgate.runner.connectors.hidden import parts_of
from headgate.runner.connectors.reach import Reach
from headgate.runner.copying.kept_cursor import Cursors, KeptCursor, NoCursors
from headgate.runner.errors import NodeFailed
from headgate.runner.failure import RUNNER_ERROR, failure_of
from headgate.runner.keeping import NoShelf, Shelf
from headgate.runner.left import Left
from headgate.runner.networks import Networks
from headgate.runner.printed_logs import PrintedLogs
from headgate.runner.program import Limits
from headgate.runner.secrets import Redactor, Secrets

_log = structlog.get_logger("headgate.runner")
PATIENCE_SECONDS = 120.0
"""How long the gateway may be away when an attempt has to be given its credentials."""

Release = Callable[[Task, Collection[str]], Awaitable[Mapping[str, Mapping[str, str]]]]
"""Asks for the credentials of these names for an attempt; see ``Gateway.credentials``."""


async def no_credentials(_task: Task, _names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
    """Of somebody who is given none."""
    raise GatewayRefused("this runner is given no credentials")


@dataclass(frozen=True)
class Executor:
    """Executes attempts of any kind."""

    secrets: Secrets
    networks: Networks
    frames: FrameWriter
    """Takes what attempts print, and when they begin and end."""
    grace: float = GRACE_SECONDS
    """Seconds that a script has to end when it is asked to."""
    release: Release = no_credentials
    """Where credentials come from."""
    cursors: Cursors = field(default_factory=NoCursors)
    """Where it is kept how far copies have come."""
    shelf: Shelf = field(default_factory=NoShelf)
    """Where files are kept that scripts leave."""
    programs: script.Run = program.run
    """Where scripts are executed."""
    file_bytes: int | None = None
    """Size of a file that a script writes at most."""
    memory_bytes: int | None = None
    """Memory of a process of a script at most."""
    printed: PrintedLogs | None = None
    """Takes what scripts print, beside ``frames``."""

    async def execute(self, task: Task) -> Result:
        """How the attempt ended. Never raises but when it is cancelled; nothing of it runs on afterwards.

        A script that is cancelled, or takes too long, is asked to end and has ``grace`` seconds for it.
        """
        self.frames.begun(task.run_id, task.node, task.attempt)
        try:
            return await self._ended(task)
        finally:
            self.frames.ended(task.run_id, task.node, task.attempt)

    async def _ended(self, task: Task) -> Result:
        redactor = self.secrets.redactor()
        try:
            config = self._config(task)
            async with asyncio.timeout(task.timeout_seconds):
                secrets = await self._secrets(task, config)
                redactor = _redactor(config, secrets)
                output = redactor.json(await self._executed(task, config, secrets, redactor))
            check_json(output, OUTPUT_BYTES, "the output")
        except Exception as error:
            result = failure_of(error, redactor)
            if result.reason == RUNNER_ERROR:
                _log.error("execution failed", node=task.node, attempt=task.attempt, error=type(error).__name__)
            return result
        return Result(succeeded=True, output=output, exit_code=0 if config.script is not None else None)

    def _config(self, task: Task) -> NodeConfig:
        known = {kind: task.work[kind] for kind in KINDS if kind in task.work}
        try:
            return NodeConfig.model_validate(known)
        except ValidationError as error:
            where = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False))
            raise NodeFailed("InvalidTask", f"this runner cannot read the node's config: {where}") from None

    async def _secrets(self, task: Task, config: NodeConfig) -> Secrets:
        """What the node may know. Credentials are asked for by each attempt anew, and kept no longer than it."""
        names = sorted({credential.name for credential in credentials_of(config)})
        if not names:
            return self.secrets
        try:
            given = await patiently(lambda: self.release(task, names), sleep=asyncio.sleep, patience=PATIENCE_SECONDS)
        except (GatewayRefused, GatewayUnavailable, NotOurs) as refused:
            raise NodeFailed("CredentialRefused", f"the node was not given its credentials: {refused}") from None
        return self.secrets.with_credentials(given)

    def _executed(self, task: Task, config: NodeConfig, secrets: Secrets, redactor: Redactor) -> Awaitable[Any]:
        if config.http is not None:
            return http.execute(config.http, secrets, self.networks)
        if config.sql is not None:
            return sql.execute(config.sql, secrets, task.timeout_seconds)
        if config.connector is not None:
            reach, cursor = Reach(self.networks), KeptCursor(self.cursors, task)
            return connector.execute(config.connector, task, secrets, reach, cursor, redactor)
        if config.script is None:
            raise NodeFailed("InvalidTask", "this runner does not know what the node asks for")

        def show(stream: str, text: str) -> None:
            told = redactor.text(text)
            self.frames.printed(task.run_id, task.node, task.attempt, stream, told)
            if self.printed is not None:
                self.printed.add(task, told)

        async def keep(files: Sequence[Left]) -> None:
            await keeping.keep(self.shelf, task, files, redactor)

        limits = Limits(max(1.0, task.timeout_seconds), self.memory_bytes, self.file_bytes)
        return script.execute(
            config.script, secrets, _about(task), show, grace=self.grace, limits=limits, run=self.programs, keep=keep
        )


def _redactor(config: NodeConfig, secrets: Secrets) -> Redactor:
    password = sql.password_of(sql.connection_of(config.sql, secrets)) if config.sql is not None else None
    parts = parts_of(config, secrets) if config.connector is not None else ()
    return secrets.redactor([*parts, password] if password else parts)


def _about(task: Task) -> dict[str, str]:
    return {
        "HEADGATE_WORKSPACE": task.workspace,
        "HEADGATE_WORKFLOW": task.workflow,
        "HEADGATE_RUN": str(task.run_id),
        "HEADGATE_NODE": task.node,
        "HEADGATE_ATTEMPT": str(task.attempt),
    }
