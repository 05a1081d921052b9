"""What a runner that meets no connector pays for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
LIBRARIES = {"aiokafka", "aiosmtplib", "dulwich", "obstore", "urllib3"}


def test_no_library_of_a_connector_is_imported_before_a_node_asks_for_it() -> None:
    say = f"import sys, headgate.runner.__main__; print(*(set(sys.modules) & {LIBRARIES!r}))"

    done = subprocess.run(
        [sys.executable, "-c", say],
        env={"PYTHONPATH": str(ROOT / "operator")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == []
