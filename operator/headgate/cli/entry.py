"""Where the programs ``headgate`` and ``kubectl-headgate`` begin.

Those who start and watch runs wait for no database's and no cluster's libraries: these are loaded for the commands that
need them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

_COMPLETING = "_HEADGATE_COMPLETE"
_COMPLETION = ("--install-completion", "--show-completion")


def main() -> None:
    """The program ``headgate``."""
    _begin(sys.argv[1:], "headgate", tenants_only=False)


def kubectl() -> None:
    """The program ``kubectl headgate``, which has the commands that speak to the API."""
    _begin(sys.argv[1:], "kubectl headgate", tenants_only=True)


def _begin(arguments: Sequence[str], name: str, *, tenants_only: bool) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that lacks a character gets a stand-in for it, and no failure.
            stream.reconfigure(errors="replace")
    try:
        from headgate.cli import tenants

        if tenants_only or _is_for_tenants(arguments, tenants.COMMANDS):
            tenants.app(prog_name=name)
        else:
            from headgate.cli import main as everything

            everything.main()
    except KeyboardInterrupt:
        sys.exit(130)


def _is_for_tenants(arguments: Sequence[str], known: frozenset[str]) -> bool:
    return _COMPLETING in os.environ or bool(arguments and (arguments[0] in known or arguments[0] in _COMPLETION))


if __name__ == "__main__":
    main()
