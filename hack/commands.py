"""The reference of the commands that speak to the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from headgate.cli.tenants import app

_HEAD = """# Command line

`headgate`, and `kubectl headgate` where `kubectl-headgate` is on the `PATH`, for those who use a workspace. The
commands for those who run Headgate are in [operations](../operations.md).

## Exit codes

| code | meaning |
|---|---|
| 0 | it was done; with `--watch`, the run succeeded |
| 1 | the run failed or was cancelled, or the server refuses what is asked for |
| 2 | the command is wrong, there is no such thing, or nobody can tell: the server cannot be reached, or failed |
| 3 | `--timeout` passed; the run goes on |
| 130 | interrupted; the run goes on |

## Whom to ask

Every command but `login` and `context` takes `--server`, `--workspace` (`-w`), `--context`, `--token-file`, and
`--output` (`-o`): `table`, `wide`, `json`, `yaml` or `name`. What options do not say is taken from `HEADGATE_SERVER`,
`HEADGATE_WORKSPACE` and `HEADGATE_TOKEN`, and then from the current context of
`$XDG_CONFIG_HOME/headgate/config.yaml` (`~/.config` where that is not set), which `headgate login` writes.
`--context` takes server, workspace and token from that context, whatever the environment says. The token of a context
is sent to the server of that context, and to no other. A certificate authority of your own is named by
`SSL_CERT_FILE`.
"""


def commands(mark: str) -> str:
    """The page, in Markdown."""
    root: Any = typer.main.get_command(app)
    parts = [f"<!-- {mark} -->", _HEAD, "## Commands"]
    for name, command in root.commands.items():
        nested = getattr(command, "commands", None)
        if nested is None:
            parts.append(_section(f"headgate {name}", command))
        else:
            parts += [_section(f"headgate {name} {inner}", item) for inner, item in nested.items()]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _section(name: str, command: Any) -> str:
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    usage = " ".join([name, *(_named(item) for item in arguments)])
    lines = [f"### `{usage}`", "", " ".join(str(command.help).split()), ""]
    rows = list(_rows(command.params))
    return "\n".join([*lines, "| | |", "|---|---|", *rows] if rows else lines)


def _named(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _rows(parameters: Any) -> Iterator[str]:
    for item in parameters:
        shared = getattr(item, "rich_help_panel", None) is not None or item.name == "help"
        if not shared:
            names = [_named(item)] if item.param_type_name == "argument" else item.opts
            yield f"| {', '.join(f'`{name}`' for name in names)} | {item.help or ''} |"
