"""Background tasks of one step and of many in a row, as Prefect's documentation writes them.

A task that is asked for in the background is taken by a worker that runs already, which is the fastest way that there
is: a deployment's run begins with a process of its own.
"""

from __future__ import annotations

from prefect import flow, task

from benchmarks.peers.programs import step
from benchmarks.peers.questions import STEPS

DEPLOYMENT = "peers"


@task
async def call(url: str) -> None:
    """One step."""
    await step.call(url)


@task
async def many(url: str) -> None:
    """Many steps in a row."""
    for _ in range(STEPS):
        await call(url)


@flow
async def one(url: str) -> None:
    """A flow of one step, for a deployment."""
    await call(url)
