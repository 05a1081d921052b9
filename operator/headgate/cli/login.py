"""``headgate login``, and the contexts that it makes."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from headgate.cli.config import (
    SERVER,
    WORKSPACE,
    Config,
    ConfigInvalid,
    Context,
    checked_server,
    checked_token,
    config_path,
    read_config,
    write_config,
)
from headgate.cli.outcome import Code, tell
from headgate.cli.session import calling, ending
from headgate.cli.text import columns, printable
from headgate.client.api import Client
from headgate.client.transport import Transport

_LOCAL = ("http://localhost", "http://127.", "http://[::1]")
Name = Annotated[str, typer.Argument(help="Name of the context.")]


def login(
    server: Annotated[str | None, typer.Option(help="URL of the API.")] = None,
    workspace: Annotated[str | None, typer.Option("--workspace", "-w", help="The Workspace.")] = None,
    context: Annotated[str, typer.Option(help="Name under which to keep it.")] = "default",
) -> None:
    """Keep a server, a workspace and a token, once the server has taken the token.

    The token is asked for, or read from standard input: an argument would be seen by all users of this machine.
    """
    ending(lambda: _login(server, workspace, context))


async def _login(server: str | None, workspace: str | None, name: str) -> Code | None:
    path = config_path(os.environ)
    config = read_config(path)
    before = config.contexts.get(name)
    url = checked_server(server or os.environ.get(SERVER) or (before.server if before else ""))
    if url.startswith("http://") and not url.startswith(_LOCAL):
        tell(f"{url} has no TLS: whoever is on the way can read the token")
    token = checked_token((getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()).strip())
    wanted = workspace or os.environ.get(WORKSPACE) or (before.workspace if before and before.server == url else "")
    async with calling(Context(url, token)) as http:
        client = Client(Transport(http, token, tell=tell))
        if not wanted:
            wanted = await _only_workspace(client)
        found = await client.get_workspace(wanted)
    write_config(path, config.with_context(name, Context(url, token, found["name"])))
    caller = found["caller"]
    print(printable(f"{caller['subject']} is {caller['role']} of {found['name']} at {url} (context {name})"))
    return None


async def _only_workspace(client: Client) -> str:
    names = [item["name"] for item in (await client.list_workspaces())["items"]]
    if len(names) == 1:
        return names[0]
    known = f": {', '.join(names)}" if names else "; the token belongs to none that can be listed"
    raise ConfigInvalid(f"name a Workspace by --workspace{known}")


def list_contexts() -> None:
    """List contexts, without their tokens."""

    async def work() -> Code | None:
        config = read_config(config_path(os.environ))
        rows = [
            ("*" if name == config.current else "", name, item.server, item.workspace)
            for name, item in config.contexts.items()
        ]
        print(columns(("CURRENT", "NAME", "SERVER", "WORKSPACE"), rows))
        return None

    ending(work)


def use_context(name: Name) -> None:
    """Make a context the current one."""
    _change(name, lambda config: Config(config.contexts, name), f"{name} is the current context")


def delete_context(name: Name) -> None:
    """Forget a context and its token, which stays good: revoke a key to end it."""
    _change(name, lambda config: config.without(name), f"{name} is forgotten")


def _change(name: str, change: Callable[[Config], Config], done: str) -> None:
    async def work() -> Code | None:
        path = config_path(os.environ)
        config = read_config(path)
        if name not in config.contexts:
            raise ConfigInvalid(f"there is no context {name}: `headgate context list` shows those that there are")
        write_config(path, change(config))
        print(printable(done))
        return None

    ending(work)
