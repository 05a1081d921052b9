"""What the kubelet does with the pod of a script: makes its environment, executes it, and tells how it ended."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.workload_builders import PodBuilder, a_job, a_script_task

_SOURCE_ROOT = Path(__file__).parents[2] / "operator"


def environment_of(job: Mapping[str, Any], secrets: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of the Job's container; ``secrets`` are values by the names of the Secrets, whatever the key."""
    [container] = job["spec"]["template"]["spec"]["containers"]
    found = {}
    for item in container["env"]:
        if "value" in item:
            found[item["name"]] = item["value"].replace("$$", "$")
        else:
            found[item["name"]] = (secrets or {})[item["valueFrom"]["secretKeyRef"]["name"]]
    return found


@dataclass(frozen=True)
class Executed:
    """A container that has ended."""

    code: int
    log: str
    said: str
    """Its termination message."""

    def pod(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The pod of that Job, as the API server serves it."""
        builder = PodBuilder(a_job(a_script_task()))
        ended = builder.succeeded(self.said) if self.code == 0 else builder.failed(self.code, said=self.said)
        pod = ended.manifest()
        name = job["metadata"]["name"]
        labels = {**job["spec"]["template"]["metadata"]["labels"], "batch.kubernetes.io/job-name": name}
        pod["metadata"] |= {"name": f"{name}-x7k2p", "namespace": job["metadata"]["namespace"], "labels": labels}
        return pod


async def executed(job: Mapping[str, Any], folder: Path, secrets: Mapping[str, str] | None = None) -> Executed:
    """Execute the Job's container, with its termination message in that folder."""
    [container] = job["spec"]["template"]["spec"]["containers"]
    message = folder / "message"
    message.touch()
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_SOURCE_ROOT), **environment_of(job, secrets)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *container["command"][1:]),
        env={**given, "HEADGATE_OUTPUT": str(message)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return Executed(process.returncode or 0, out.decode(), message.read_text())
