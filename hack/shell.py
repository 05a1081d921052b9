"""Runs other programs, and says what they said when they fail."""

from __future__ import annotations

import subprocess
from pathlib import Path


class CommandError(RuntimeError):
    """A program that had to succeed did not."""


def run(*argv: str | Path, stdin: str | None = None) -> str:
    """The program's standard output; raises with its own words when it fails."""
    done = subprocess.run([str(part) for part in argv], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise CommandError(f"{' '.join(str(part) for part in argv)}: exit {done.returncode}: {said}")
    return done.stdout


def succeeds(*argv: str | Path) -> bool:
    """Whether the program exits with 0; what it prints is dropped."""
    return subprocess.run([str(part) for part in argv], capture_output=True, check=False).returncode == 0
