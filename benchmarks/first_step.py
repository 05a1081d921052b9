"""How soon the first step of a run begins on real pods: in a runner that is warm, and in a Job.

    make up && python -m benchmarks.first_step [--rounds 15]

Goal: 20 ms, the median, beside 3 s that a Job is said to take (issue "The gateway and warm runners"). Both are asked
for in turn, through the API of the gateway that ``make up`` installed, by way of ``kubectl port-forward``. The step
itself says when it began, a script in a fresh process and a container: so its clock has to be this machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx

from benchmarks.report import Figure, show
from hack.kube import Kube
from hack.record import KUBECONFIG, NAMESPACE, RELEASE
from hack.tools import tool
from headgate.client.api import Client
from headgate.client.transport import Transport
from tests.builders import a_quota, a_workflow, a_workspace
from tests.support.cluster import unique
from tests.support.waiting import eventually

GATEWAY = f"{RELEASE}-gateway"
BEGAN = "date +%s%N > $HEADGATE_OUTPUT"
WARM, JOB = "warm", "job"


async def main(rounds: int) -> list[Figure]:
    """Start so many runs of each kind, one after the other."""
    kube, name = Kube(KUBECONFIG), unique("first-step")
    gateway = kube.get("deployment", GATEWAY, f"--namespace={NAMESPACE}")
    image = gateway["spec"]["template"]["spec"]["containers"][0]["image"]
    with ExitStack() as stack:
        stack.callback(kube.kubectl, "delete", f"quota.headgate.dev/{name}", f"namespace/{name}", "--ignore-not-found")
        stack.callback(kube.kubectl, "delete", "workspace", name, "--ignore-not-found")
        stack.callback(kube.succeeds, "annotate", "workspace", name, "headgate.dev/force-delete=true")
        workspace = a_workspace(name).with_quota(name).with_spec(runners={"max": 1, "idleSeconds": 600})
        kube.apply(a_quota(name).manifest())
        kube.apply(workspace.with_member("owner", "ServiceAccount", "default", name).manifest())
        kube.kubectl("wait", "--for=condition=Ready", f"workspace/{name}", "--timeout=60s")
        script = {"script": {"language": "shell", "source": BEGAN}}
        container = {"container": {"image": image, "command": ["sh", "-c", BEGAN]}}
        for workflow, step in ((WARM, script), (JOB, container)):
            kube.apply(a_workflow(workflow, name).with_node("step", step, after=["by-hand"]).manifest())
            kube.kubectl("wait", "--for=condition=Ready", f"hwf/{workflow}", f"--namespace={name}", "--timeout=60s")
        token = kube.kubectl("create", "token", "default", f"--namespace={name}", "--audience=headgate").strip()
        url = stack.enter_context(forwarded(kube))
        async with httpx.AsyncClient(base_url=url) as http:
            client = Client(Transport(http, token))
            took: dict[str, list[float]] = {WARM: [], JOB: []}
            for number in range(rounds + 1):
                for workflow, all_ in took.items():
                    seconds = await to_first_step(client, name, workflow)
                    # The first one of each fetches, and makes, what all others find.
                    all_.extend([seconds] if number else [])
    warm, job = (statistics.median(took[kind]) for kind in (WARM, JOB))
    print(f"of {rounds} each: warm {spread(took[WARM])} ms, a Job's {spread(took[JOB])} ms")
    return [
        Figure("request to first step on real pods, a warm runner's, p50", warm * 1000, "ms", 20, "lower"),
        Figure("the same in a Job, p50", job, "s", 3, "lower"),
    ]


def spread(seconds: list[float]) -> str:
    return f"{min(seconds) * 1000:.1f} to {max(seconds) * 1000:.1f}"


async def to_first_step(client: Client, workspace: str, workflow: str) -> float:
    """The seconds from asking for a run until its step began."""
    asked = time.time_ns()
    run = await client.start_run(workspace, {"workflow": workflow})

    async def began() -> int | None:
        seen = await client.get_run(workspace, run["id"])
        if seen["phase"] in ("Failed", "Cancelled"):
            raise AssertionError(f"a run of {workflow} did not succeed: {seen}")
        return seen["nodes"][0]["output"] if seen["phase"] == "Succeeded" else None

    return (await eventually(began, every=0.2, what=f"a run of {workflow}") - asked) / 1e9


@contextmanager
def forwarded(kube: Kube) -> Iterator[str]:
    """Where the gateway can be asked meanwhile."""
    where = (f"--kubeconfig={kube.kubeconfig}", f"--namespace={NAMESPACE}", f"service/{GATEWAY}", ":8000")
    command = [str(tool("kubectl")), "port-forward", *where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            if found is None:
                raise RuntimeError(f"kubectl port-forward says {line!r}")
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            process.terminate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    show(asyncio.run(main(arguments.rounds)), f"python -m benchmarks.first_step --rounds {arguments.rounds}")
