"""A client of Temporal's. Arguments: the server's address, and the namespace, registered where it is missing."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from benchmarks.peers.programs.answering import answering
from benchmarks.peers.programs.temporal_steps import QUEUE, Many, One

_DAY = 86_400
_PAUSE = 0.2


@dataclass
class Temporal:
    """Starts workflows."""

    client: Any
    url: str

    async def start(self, steps: int) -> Any:
        kind = One if steps == 1 else Many
        return await self.client.start_workflow(kind.run, self.url, id=str(uuid4()), task_queue=QUEUE)

    async def ended(self, run: Any) -> None:
        await run.result()


async def opened(url: str) -> Temporal:
    """A client, once the namespace is known to the whole server."""
    client = await Client.connect(sys.argv[1], namespace=sys.argv[2])
    wanted = RegisterNamespaceRequest(namespace=sys.argv[2], workflow_execution_retention_period=Duration(seconds=_DAY))
    try:
        await client.workflow_service.register_namespace(wanted)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise
    temporal = Temporal(client, url)
    while True:
        try:
            await temporal.ended(await temporal.start(1))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await asyncio.sleep(_PAUSE)
        else:
            return temporal


asyncio.run(answering(opened))
