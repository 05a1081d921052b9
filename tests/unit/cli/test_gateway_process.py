from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.identities import OF_NO_CLUSTER
from tests.support.warm_processes import own_port


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_gateway_that_is_told_to_end_ends_in_order(tmp_path: Path, told: signal.Signals) -> None:
    (tmp_path / "kubeconfig").write_text(OF_NO_CLUSTER)
    environment = {
        **os.environ,
        "HEADGATE_KUBECONFIG": str(tmp_path / "kubeconfig"),
        "HEADGATE_HTTP_HOST": "127.0.0.1",
        "HEADGATE_HTTP_PORT": "0",
        "HEADGATE_API_PORT": str(own_port()),
        "HEADGATE_DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/none",
    }
    command = [sys.executable, "-m", "headgate.cli.entry", "gateway"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr)
        # It takes signals as soon as uvicorn says so.
        assert any("Started server process" in line for line in lines)
        process.send_signal(told)
        assert any('"message":"ended"' in line for line in lines)

    assert process.returncode == 0
