"""Where the programs ``headgate``, ``kubectl-headgate`` and ``kubectl_complete-headgate`` begin.

Those who start and watch runs wait for no database's and no cluster's libraries: these are loaded for the commands that
need them.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from io import StringIO, TextIOWrapper

from headgate import garbage

_COMPLETING = "_HEADGATE_COMPLETE"
_COMPLETION = ("--install-completion", "--show-completion")
_FILES, _NO_FILES = ":0", ":4"
"""Whether kubectl's shell may offer files as well."""


def main() -> None:
    """The program ``headgate``."""
    _begin(sys.argv[1:], "headgate", tenants_only=False)


def kubectl() -> None:
    """The program ``kubectl headgate``, which has the commands that speak to the API."""
    _begin(sys.argv[1:], "kubectl headgate", tenants_only=True)


def kubectl_complete() -> None:
    """The program that kubectl asks what may come next, by its protocol: a line for each, and what to do about files.

    It is given the words behind ``kubectl headgate``, the last of which may be half of one, or none yet.
    """
    *before, last = sys.argv[1:] or [""]
    asked = {
        _COMPLETING: "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": f"{shlex.join(['headgate', *before])} {last and shlex.quote(last)}",
    }
    os.environ.update(asked)
    # Fish's lines are kubectl's.
    with redirect_stdout(StringIO()) as found, suppress(SystemExit):
        _begin([], "headgate", tenants_only=True)
    lines = [line for line in found.getvalue().splitlines() if line]
    print(*lines, _NO_FILES if lines else _FILES, sep="\n")


def _begin(arguments: Sequence[str], name: str, *, tenants_only: bool) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that lacks a character gets a stand-in for it, and no failure.
            stream.reconfigure(errors="replace")
    try:
        with garbage.loading():
            from headgate.cli import tenants
        if tenants_only or _is_for_tenants(arguments, tenants.COMMANDS):
            tenants.app(prog_name=name)
            return
        with garbage.loading():
            from headgate.cli import main as everything
        everything.main()
    except KeyboardInterrupt:
        sys.exit(130)


def _is_for_tenants(arguments: Sequence[str], known: frozenset[str]) -> bool:
    return _COMPLETING in os.environ or bool(arguments and (arguments[0] in known or arguments[0] in _COMPLETION))


if __name__ == "__main__":
    main()
