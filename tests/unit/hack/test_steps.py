from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hack.record import ROOT


def work(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Runs steps in a process of their own: they take over its standard output."""
    program = f"""
import subprocess, sys
from pathlib import Path
from hack.steps import Progress, StepFailedError, TroubleError
progress = Progress(Path({str(tmp_path)!r}), 2)
try:
{body}
except StepFailedError:
    sys.exit(1)
"""
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


def test_steps_are_numbered_and_timed(tmp_path: Path) -> None:
    done = work(
        tmp_path,
        """
    with progress.step("First"):
        pass
    with progress.step("Second"):
        pass
""",
    )

    lines = done.stdout.splitlines()
    assert [line.split(" ... ")[0] for line in lines] == ["[1/2] First", "[2/2] Second"]
    assert all(line.endswith(" s") for line in lines)


def test_what_a_step_prints_goes_to_its_log_and_so_does_what_its_programs_print(tmp_path: Path) -> None:
    done = work(
        tmp_path,
        """
    with progress.step("Build it"):
        print("from Python")
        subprocess.run(["echo", "from a program"])
        progress.say("for the person")
""",
    )

    assert (tmp_path / "1-build-it.log").read_text().splitlines() == ["from Python", "from a program"]
    assert "for the person" in done.stdout
    assert "from" not in done.stdout


def test_a_failure_tells_the_last_lines_and_what_to_do(tmp_path: Path) -> None:
    done = work(
        tmp_path,
        """
    with progress.step("Doomed", "try something else"):
        print("the last thing it said")
        raise TroubleError("the disk is full", "make room")
""",
    )

    assert done.returncode == 1
    assert "FAILED after" in done.stdout
    assert "  | the last thing it said" in done.stdout
    assert "the disk is full" in done.stdout
    assert "What to do: make room" in done.stdout
    assert str(tmp_path / "1-doomed.log") in done.stdout


def test_a_failure_without_advice_of_its_own_gives_that_of_the_step(tmp_path: Path) -> None:
    done = work(
        tmp_path,
        """
    with progress.step("Doomed", "try something else"):
        raise RuntimeError("no")
""",
    )

    assert "What to do: try something else" in done.stdout
