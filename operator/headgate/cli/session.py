"""Commands that call the API: the options that all of them have, and how they end."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from headgate.cli.config import ConfigInvalid, Context, Given, config_path, read_config, resolved
from headgate.cli.outcome import Code, code_of, tell, words_of
from headgate.cli.output import Format, Output
from headgate.client.api import Client
from headgate.client.errors import CallFailed
from headgate.client.transport import Transport

PANEL = "Whom to ask, and how to answer"
Server = Annotated[str | None, typer.Option("--server", help="URL of the API.", rich_help_panel=PANEL)]
Workspace = Annotated[str | None, typer.Option("--workspace", "-w", help="The Workspace.", rich_help_panel=PANEL)]
ContextName = Annotated[str | None, typer.Option("--context", help="A context of the file.", rich_help_panel=PANEL)]
TokenFile = Annotated[
    str | None, typer.Option("--token-file", help="A file with the token in it.", rich_help_panel=PANEL)
]
Wanted = Annotated[Format, typer.Option("--output", "-o", help="Form of the answer.", rich_help_panel=PANEL)]
_SHARED: dict[str, tuple[Any, Any]] = {
    "server": (Server, None),
    "workspace": (Workspace, None),
    "context": (ContextName, None),
    "token_file": (TokenFile, None),
    "output": (Wanted, Format.TABLE),
}


class Mistake(Exception):  # noqa: N818 - reads as what it says
    """The command says something that has no meaning; the message says what to change."""


@dataclass(frozen=True)
class Session:
    """What a command works with."""

    client: Client
    context: Context
    output: Output

    @property
    def workspace(self) -> str:
        """The workspace that is meant. Raises ``Mistake`` where none is named."""
        if not self.context.workspace:
            raise Mistake("name a Workspace by --workspace, HEADGATE_WORKSPACE or `headgate login`")
        return self.context.workspace


Use = Callable[..., Coroutine[Any, Any, Code | None]]


def api_command(app: typer.Typer, name: str | None = None) -> Callable[[Use], Use]:
    """Make a command of a function that is given a session, and then what its own options say."""

    def decorate(use: Use) -> Use:
        signature = inspect.signature(use, eval_str=True)
        own = list(signature.parameters.values())[1:]
        shared = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, (annotation, default) in _SHARED.items()
        ]

        def command(**given: Any) -> None:
            target = Given(*(given.pop(key) for key in ("server", "workspace", "context", "token_file")))
            output = Output(given.pop("output"))
            ending(lambda: _in_session(target, output, lambda session: use(session, **given)))

        by_keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        every = [*by_keyword, *shared]
        command.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
        command.__name__, command.__doc__ = use.__name__, use.__doc__
        app.command(name)(command)
        return use

    return decorate


async def _in_session(given: Given, output: Output, use: Callable[[Session], Awaitable[Code | None]]) -> Code | None:
    context = resolved(given, os.environ, read_config(config_path(os.environ)))
    async with calling(context) as http:
        return await use(Session(Client(Transport(http, context.token, tell=tell)), context, output))


def calling(context: Context) -> httpx.AsyncClient:
    """Connections to the server. Redirects are not followed: the token is for this server."""
    try:
        return httpx.AsyncClient(base_url=context.server, headers={"User-Agent": "headgate-cli"})
    except (httpx.InvalidURL, ValueError, OSError) as error:
        raise ConfigInvalid(f"no connection can be made to {context.server}: {type(error).__name__}") from None


def ending(work: Callable[[], Coroutine[Any, Any, Code | None]]) -> None:
    """Do the work and end the command with its code. Whatever goes wrong is a sentence, and never a traceback."""
    try:
        code = asyncio.run(work()) or Code.SUCCESS
        sys.stdout.flush()
    except KeyboardInterrupt:
        tell("interrupted")
        code = Code.INTERRUPTED
    except (Mistake, ConfigInvalid) as error:
        tell(str(error))
        code = Code.UNKNOWN
    except CallFailed as error:
        tell(words_of(error))
        code = code_of(error)
    except BrokenPipeError:
        # Whoever read has enough. What is still to be written would complain once more at the very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Code.FAILED
    except typer.Exit:
        raise
    except Exception as error:
        tell(f"this is a mistake of headgate itself: {type(error).__name__} in {_place(error)}")
        code = Code.UNKNOWN
    raise typer.Exit(code)


def _place(error: Exception) -> str:
    """Where it happened. What the error says may hold secrets; where it was raised cannot."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "no place"
