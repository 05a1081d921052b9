"""schemathesis, which makes requests of the OpenAPI document and holds answers to it: no 5xx, and nothing undescribed.

It runs as a program of its own, in an environment of its own, against a gateway that listens.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from hack import pinned_python
from headgate.domain.credentials import Values
from headgate.gateway.api import DOCUMENT_PATH
from tests.builders import a_workflow
from tests.component.api_client import Api
from tests.component.copies import given_cursor
from tests.component.listening import listening
from tests.component.test_api_access import ROUTES
from tests.component.webhook_client import SECRET, Sender, a_webhook
from tests.component.world import World

SEED = 6
EXAMPLES = 8
"""Of each operation, beside those that cover what its parameters and bodies may and may not be."""


@pytest.fixture
async def known(world: World, api: Api) -> dict[str, Any]:
    """What there is, by the names of parameters in paths."""
    workflow = a_workflow().with_node("ask", {"approval": {}}).with_trigger("paid", a_webhook())
    await world.given(workflow)
    values = Values({"current": SECRET})
    await world.engine.credentials.put(world.ids["acme"], "shop", "webhook", values, by="alice")
    sender = Sender(api)
    await sender.accepted()
    [delivery] = await sender.deliveries()
    await given_cursor(world, "ask")
    return {
        "workspace": "acme",
        "namespace": "acme",
        "name": "nightly",
        "run_id": str(await world.admit()),
        "number": 1,
        "step": "ask",
        "key_id": str((await api.issue()).view.id),
        "hook": "orders",
        "delivery_id": str(UUID(delivery["id"])),
    }


def configuration(known: dict[str, Any], report: Path) -> str:
    """As its own file has it, in TOML, of which JSON's strings are a part."""
    named = "".join(f"{json.dumps('path.' + name)} = {json.dumps(value)}\n" for name, value in known.items())
    return f"""
seed = {SEED}
workers = 1
continue-on-failure = true
[cache]
enabled = false
[reports.json]
path = {json.dumps(str(report))}
[generation]
max-examples = {EXAMPLES}
deterministic = true
no-shrink = true
database = "none"
[phases.stateful]
enabled = false
[parameters]
{named}
[checks]
# That a cursor is one that a list gave, or a time one that is to come, no schema can say.
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
[[operations]]
include-operation-id = ["followRuns", "followRun"]
# They are described as the text that they are, and it looks for a schema of each event.
checks.response_schema_conformance.enabled = false
[[operations]]
include-operation-id = "rotateCredentials"
# A credential may be called so, and is then put and deleted there.
checks.allow_header_conformance.enabled = false
"""


async def test_every_operation_answers_as_the_document_says(
    world: World, api: Api, known: dict[str, Any], tmp_path: Path
) -> None:
    program = await asyncio.to_thread(pinned_python.program, "schemathesis")
    report = tmp_path / "report.json"
    (tmp_path / "schemathesis.toml").write_text(configuration(known, report))
    token = (await api.issue()).text
    # A stream would last as long as it is listened to.
    api.streams.close()

    async with listening(api.app) as url:
        process = await asyncio.create_subprocess_exec(
            *(program, "--config-file", tmp_path / "schemathesis.toml", "--no-color", "run", url + DOCUMENT_PATH),
            *("--header", f"Authorization: Bearer {token}"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()
    told: dict[str, Any] = json.loads(report.read_text())
    assert (told["complete"], told["operations"]["tested"]) == (True, len(ROUTES))
