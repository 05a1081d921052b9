"""Evaluates CEL expressions in a small pool of child processes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from headgate.domain.expressions import VARIABLES
from headgate.engine.bounds import place_of_nul
from headgate.engine.expressions.messages import shorten
from headgate.engine.expressions.protocol import Limits
from headgate.engine.expressions.worker import EvaluatorUnavailableError, Worker
from headgate.engine.types import ExpressionError

_QUOTED = 80
_LONGEST = 300
_DEATHS_ALLOWED = 2
_BLAMED_AT_MOST = 3
_TOO_SLOW = frozenset({-signal.SIGPROF, -signal.SIGXCPU})
_CRASHED = frozenset({-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE})
_ONLY_JSON = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Loss:
    """The end of a child that still had something to answer."""

    code: int
    stuck: bool


class CelEvaluator:
    """An ``Evaluator`` over at most ``children`` processes, started when first needed. Bound to one event loop.

    A child is replaced when it ends, when it does not answer, and after ``answers_per_child`` expressions. Every method
    raises ``EvaluatorUnavailableError`` when no child can be started, which says nothing about the expression.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        children: int = 2,
        answers_per_child: int = 10_000,
        patience_seconds: float = 5.0,
    ) -> None:
        self._limits = limits or Limits()
        self._children = children
        self._answers_per_child = answers_per_child
        self._patience = patience_seconds
        self._permits = asyncio.Semaphore(children)
        self._idle: list[Worker] = []
        self._closed = False

    async def evaluate(self, expression: str, variables: Mapping[str, Any]) -> Any:
        """The JSON value of ``expression``. Raises ``ExpressionError`` with a message for the workflow's author."""
        [result] = await self.evaluate_many([expression], variables)
        if isinstance(result, ExpressionError):
            raise result
        return result

    async def evaluate_many(
        self, expressions: Sequence[str], variables: Mapping[str, Any]
    ) -> list[Any | ExpressionError]:
        """The value of each expression, or the error in its place, in order; one round trip for all of them."""
        try:
            message = {"variables": orjson.Fragment(self._encode(variables))}
        except ExpressionError as error:
            return [error for _ in expressions]
        answers = await self._answers(message, expressions)
        return [
            _error(expression, answer["error"]) if "error" in answer else answer["value"]
            for expression, answer in zip(expressions, answers, strict=True)
        ]

    async def check(self, expression: str) -> str | None:
        """What is wrong with the expression whatever the values of its variables, or None."""
        [problem] = await self.check_many([expression])
        return problem

    async def check_many(self, expressions: Sequence[str]) -> list[str | None]:
        """``check`` for each expression, in order, in one round trip."""
        answers = await self._answers({"names": VARIABLES}, expressions)
        return [
            str(_error(expression, answer["error"])) if "error" in answer else None
            for expression, answer in zip(expressions, answers, strict=True)
        ]

    async def aclose(self) -> None:
        """Let what is under way finish, and end the children. Nothing can be evaluated afterwards."""
        self._closed = True
        for _ in range(self._children):
            await self._permits.acquire()
        while self._idle:
            await self._idle.pop().stop()
        for _ in range(self._children):
            self._permits.release()

    def _encode(self, variables: Mapping[str, Any]) -> bytes:
        try:
            encoded = orjson.dumps(dict(variables), option=_ONLY_JSON)
        except TypeError as error:
            raise ExpressionError(
                f"the values that expressions read are not JSON: {shorten(str(error), 200)}"
            ) from None
        if len(encoded) > self._limits.variables_bytes:
            raise ExpressionError(
                f"the values that expressions read are {len(encoded)} bytes of JSON;"
                f" {self._limits.variables_bytes} are allowed"
            )
        # The library would cut such a string short without a word.
        if b"\\u0000" in encoded and place_of_nul(orjson.loads(encoded), "") is not None:
            raise ExpressionError("the values that expressions read contain a NUL character, which is not allowed")
        return encoded

    async def _answers(self, message: Mapping[str, Any], expressions: Sequence[str]) -> list[dict[str, Any]]:
        """One answer per expression. Only expressions of allowed length are sent."""
        longest = self._limits.expression_characters
        short = [expression for expression in expressions if len(expression) <= longest]
        answers = iter(await self._ask(message, short) if short else [])
        return [
            next(answers)
            if len(expression) <= longest
            else {"error": f"it has {len(expression)} characters; {longest} are allowed"}
            for expression in expressions
        ]

    async def _ask(self, message: Mapping[str, Any], expressions: Sequence[str]) -> list[dict[str, Any]]:
        """One answer per expression, from as many children as it takes.

        When a child is lost over several expressions, they are asked one by one to learn which of them did it.
        """
        answers: list[dict[str, Any]] = []
        at_once, deaths, blamed = len(expressions), 0, 0
        while len(answers) < len(expressions):
            asked = expressions[len(answers) : len(answers) + at_once]
            if blamed >= _BLAMED_AT_MOST:
                answers += [{"error": "too many of the expressions before it had to be stopped"}] * len(asked)
                continue
            given, loss = await self._ask_one_child(message, asked)
            answers += given
            if loss is None:
                continue
            if not given and len(asked) > 1:
                at_once = 1
                continue
            deaths = 0 if given else deaths + 1
            verdict = None if given else self._verdict(loss, deaths)
            if verdict is not None:
                answers.append({"error": verdict})
                deaths, blamed = 0, blamed + 1
        return answers

    async def _ask_one_child(
        self, message: Mapping[str, Any], expressions: Sequence[str]
    ) -> tuple[list[dict[str, Any]], _Loss | None]:
        """The answers of one child, and how it was lost unless it was not."""
        async with self._worker() as worker:
            answers = await worker.ask(message, expressions, self._patience)
            if len(answers) == len(expressions):
                return answers, None
            code = await worker.stop()
        log.warning("expression_child_ended", exit_code=code, stuck=worker.stuck, answered=worker.answered)
        return answers, _Loss(code, worker.stuck)

    def _verdict(self, loss: _Loss, deaths: int) -> str | None:
        """What the end of the child says about the expression it was at; None when that is to be tried again."""
        if loss.stuck:
            return f"it did not end within {self._patience:g} s"
        if loss.code in _TOO_SLOW:
            return f"it takes more than {self._limits.expression_seconds * 1000:g} ms"
        if loss.code in _CRASHED:
            return f"it takes more than {self._limits.memory_bytes >> 20} MB of memory, or crashes the evaluator"
        if deaths >= _DEATHS_ALLOWED:
            return "the process evaluating it was ended from outside, more than once; it may take too much memory"
        return None

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[Worker]:
        """A child of our own for a while, kept for others unless it ended, is worn out, or something was raised."""
        async with self._permits:
            if self._closed:
                raise EvaluatorUnavailableError("the evaluator is closed")
            while self._idle and not self._idle[-1].alive:
                await self._idle.pop().stop()
            worker = self._idle.pop() if self._idle else await Worker.start(self._limits)
            keep = False
            try:
                yield worker
                keep = worker.alive and worker.answered < self._answers_per_child
            finally:
                if keep:
                    self._idle.append(worker)
                else:
                    await worker.stop()


def _error(expression: str, message: str) -> ExpressionError:
    return ExpressionError(shorten(f"{shorten(expression, _QUOTED)!r}: {message}", _LONGEST))
