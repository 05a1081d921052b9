"""A worker of Temporal's, as it is by default. Arguments: the server's address, and the namespace."""

from __future__ import annotations

import asyncio
import sys

from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks.peers.programs.temporal_steps import QUEUE, Many, One, call


async def main() -> None:
    client = await Client.connect(sys.argv[1], namespace=sys.argv[2])
    await Worker(client, task_queue=QUEUE, workflows=[One, Many], activities=[call]).run()


asyncio.run(main())
