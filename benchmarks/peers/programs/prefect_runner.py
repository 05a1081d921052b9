"""What serves a deployment of Prefect's: each of its runs gets a process of its own."""

from __future__ import annotations

from prefect.deployments.runner import EntrypointType

from benchmarks.peers.programs.prefect_steps import DEPLOYMENT, one

# The processes of runs import this as well.
if __name__ == "__main__":
    one.serve(name=DEPLOYMENT, entrypoint_type=EntrypointType.MODULE_PATH)
