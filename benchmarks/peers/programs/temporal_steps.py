"""Workflows of one activity and of many in a row, as Temporal's documentation writes them."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from benchmarks.peers.programs import step
    from benchmarks.peers.questions import STEPS

QUEUE = "peers"
_LONGEST = timedelta(seconds=30)


@activity.defn
async def call(url: str) -> None:
    """One step."""
    await step.call(url)


@workflow.defn
class One:
    """A run of one step."""

    @workflow.run
    async def run(self, url: str) -> None:
        """Run it."""
        await workflow.execute_activity(call, url, start_to_close_timeout=_LONGEST)


@workflow.defn
class Many:
    """A run of many steps in a row."""

    @workflow.run
    async def run(self, url: str) -> None:
        """Run them."""
        for _ in range(STEPS):
            await workflow.execute_activity(call, url, start_to_close_timeout=_LONGEST)
