"""The process that evaluates expressions: ``python -m headgate.engine.expressions.child`` with a socket as stdin.

It answers requests until its peer hangs up. An expression that takes too long has the kernel end the process
(SIGPROF); one that exhausts the memory is answered, after which the process ends too, as its memory stays in pieces.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson
from cel_expr_python import cel
from cel_expr_python.ext import ext_encoders, ext_math, ext_optional, ext_strings

from headgate.engine.expressions.confine import allow_cpu, confine
from headgate.engine.expressions.messages import for_author
from headgate.engine.expressions.protocol import HEADER_BYTES, READY, Limits, frame
from headgate.engine.expressions.values import NotJsonError, to_json

_ENVIRONMENTS_KEPT = 8
_EXPRESSIONS_KEPT = 128
_EXPLAINED = (RuntimeError, NotJsonError)


class Library:
    """The CEL library, with the extensions that expressions may use and variables of any type.

    It remembers what it compiled last: workflows evaluate the same few expressions again and again, and compiling takes
    ten times as long as evaluating.
    """

    def __init__(self) -> None:
        self._extensions = (
            ext_strings.ExtStrings(),
            ext_math.ExtMath(),
            ext_optional.ExtOptional(),
            ext_encoders.ExtEncoders(),
        )
        self._environment = lru_cache(_ENVIRONMENTS_KEPT)(self._new_environment)
        self._compiled = lru_cache(_EXPRESSIONS_KEPT)(self._compile)

    def compile(self, expression: str, names: Iterable[str]) -> Any:
        """The expression over variables of these names. Raises ``RuntimeError`` with the library's explanation."""
        return self._compiled(expression, tuple(sorted(names)))

    def _compile(self, expression: str, names: tuple[str, ...]) -> Any:
        return self._environment(names).compile(expression)

    def _new_environment(self, names: tuple[str, ...]) -> Any:
        return cel.NewEnv(variables=dict.fromkeys(names, cel.Type.DYN), extensions=self._extensions)


def evaluate(library: Library, expression: str, variables: dict[str, Any], result_bytes: int) -> bytes:
    """The answer to one expression. Raises ``MemoryError``."""
    value = library.compile(expression, variables).eval(data=variables)
    try:
        plain = value.plain_value()
    except (TypeError, SystemError):
        raise NotJsonError("the result holds an optional value: add .orValue(...) to it") from None
    if value.type() == cel.Type.ERROR:
        raise NotJsonError(plain)
    result = orjson.dumps(to_json(plain))
    if len(result) > result_bytes:
        raise NotJsonError(f"the result is {len(result)} bytes of JSON; {result_bytes} are allowed")
    return b'{"value":%s}' % result


class Session:
    """Answers the requests that come over a socket."""

    def __init__(self, peer: socket.socket, library: Library, limits: Limits) -> None:
        self._peer = peer
        self._library = library
        self._limits = limits

    def serve(self) -> None:
        """Greet, and answer until the peer hangs up or the memory has run out."""
        self._peer.sendall(frame(READY))
        intact = True
        while intact and (request := self._receive()) is not None:
            message = orjson.loads(request)
            allow_cpu(self._limits.request_seconds + self._limits.expression_seconds)
            began = time.process_time()
            answers: list[bytes] = []
            for expression in message["expressions"]:
                if time.process_time() - began > self._limits.request_seconds:
                    answers.append(_error("the expressions before it used up the time for all of them"))
                    continue
                try:
                    answers.append(self._answer(expression, message))
                except MemoryError:
                    answers.append(_error(f"it takes more than {self._limits.memory_bytes >> 20} MB of memory"))
                    intact = False
                    break
            self._peer.sendall(frame(b"[%s]" % b",".join(answers)))

    def _answer(self, expression: str, message: dict[str, Any]) -> bytes:
        signal.setitimer(signal.ITIMER_PROF, self._limits.expression_seconds)
        try:
            if "variables" in message:
                return evaluate(self._library, expression, message["variables"], self._limits.result_bytes)
            self._library.compile(expression, message["names"])
        except _EXPLAINED as error:
            return _error(for_author(str(error)))
        except (TypeError, RecursionError):
            return _error("the result is nested too deeply")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return b'{"value":null}'

    def _receive(self) -> bytes | None:
        header = self._read(HEADER_BYTES)
        return self._read(int.from_bytes(header)) if header else None

    def _read(self, length: int) -> bytes | None:
        chunks = bytearray()
        while len(chunks) < length:
            chunk = self._peer.recv(length - len(chunks))
            if not chunk:
                return None
            chunks += chunk
        return bytes(chunks)


def _error(message: str) -> bytes:
    return orjson.dumps({"error": message})


def warm_up(library: Library) -> None:
    """Have the library allocate what it keeps, so that ``confine`` counts it, and so that nobody waits for it."""
    variables = {"inputs": {"list": [1]}, "nodes": {}, "run": {}}
    evaluate(library, "inputs.list.map(x, string(x)).join(',').matches('[0-9]+')", variables, result_bytes=16)


def main() -> None:
    """Serve on the socket that is stdin, limited as the arguments say."""
    limits = Limits(**orjson.loads(sys.argv[1]))
    library = Library()
    warm_up(library)
    confine(limits.memory_bytes)
    # Until here a failure is ours and belongs into the log. From here on, what is said might quote a tenant's data.
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)
    os.close(quiet)
    with socket.socket(fileno=os.dup(0)) as peer:
        Session(peer, library, limits).serve()


if __name__ == "__main__":
    main()
