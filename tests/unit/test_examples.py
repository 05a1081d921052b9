from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.api.quota import Quota
from headgate.api.workflow import Workflow
from headgate.api.workflow_run import WorkflowRun
from headgate.api.workspace import Workspace
from headgate.domain.graph import Graph
from headgate.domain.templates import expressions

EXAMPLES = Path(__file__).resolve().parents[2] / "manifests" / "examples"
MODELS = {"Quota": Quota, "Workspace": Workspace, "Workflow": Workflow, "WorkflowRun": WorkflowRun}
MAX_OUTPUT_BYTES = 4096


def documents() -> list[dict[str, Any]]:
    files = [path for path in EXAMPLES.rglob("*.yaml") if path.name != "kustomization.yaml"]
    return [found for path in sorted(files) for found in yaml.safe_load_all(path.read_text())]


WORKFLOWS = [found for found in documents() if found["kind"] == "Workflow"]


class Scripts:
    """Runs an example's scripts as its nodes would."""

    def __init__(self, workspace: str, output: Path) -> None:
        self._folder = EXAMPLES / workspace
        self._output = output

    def run(self, *command: str, **environment: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-B", str(self._folder / "scripts" / command[0]), *command[1:]],
            env={
                **os.environ,
                **environment,
                "DATA": str(self._folder / "data"),
                "HEADGATE_OUTPUT": str(self._output),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        text = self._output.read_text()
        assert len(text.encode()) <= MAX_OUTPUT_BYTES
        result: dict[str, Any] = json.loads(text)
        return result


@pytest.mark.parametrize("document", documents(), ids=lambda found: found["kind"])
def test_every_example_is_a_valid_resource(document: dict[str, Any]) -> None:
    metadata = {"name": f"{document['metadata'].get('generateName')}1", **document["metadata"]}

    MODELS[document["kind"]].model_validate({**document, "metadata": metadata})


@pytest.mark.parametrize("workspace", ["acme", "globex"])
def test_nodes_only_use_scripts_and_files_that_are_shipped(workspace: str) -> None:
    kustomization = yaml.safe_load((EXAMPLES / workspace / "kustomization.yaml").read_text())
    shipped = {each["name"]: each["files"] for each in kustomization["configMapGenerator"]}
    workflows = [Workflow.model_validate(found) for found in WORKFLOWS]
    workflow = next(found for found in workflows if any(found.metadata.name in name for name in shipped))

    for node in workflow.spec.nodes:
        if container := node.config.container:
            assert {mount.config_map for mount in container.mounts} == set(shipped)
            assert container.command[1].replace("/scripts/", "scripts/") in shipped[f"{workflow.metadata.name}-scripts"]


@pytest.mark.parametrize(
    "document", [d for d in documents() if d["kind"] == "Workflow"], ids=lambda d: d["metadata"]["name"]
)
def test_expressions_only_use_inputs_and_nodes_that_exist(document: dict[str, Any]) -> None:
    workflow = Workflow.model_validate(document)
    nodes = set(Graph.of(workflow.spec.nodes).by_id)
    inputs = {given.name for given in workflow.spec.inputs}

    words = " ".join([*expressions(document), *(node.config.expression or "" for node in workflow.spec.nodes)])
    named = [part.split(".") for part in words.replace("(", " ").replace(")", " ").split() if "." in part]

    assert {part[1] for part in named if part[0] == "nodes"} <= nodes
    assert {part[1] for part in named if part[0] == "inputs"} <= inputs


def test_the_sales_report_adds_up(tmp_path: Path) -> None:
    scripts = Scripts("acme", tmp_path / "output")
    month = {"MONTH": "2025-10"}

    validation = scripts.run("validate.py", **month)
    countries = scripts.run("by_country.py", **month)["countries"]
    products = scripts.run("by_product.py", **month)["products"]
    anomalies = scripts.run("anomalies.py", **month)["found"]
    report = scripts.run(
        "report.py",
        **month,
        VALIDATION=json.dumps(validation),
        COUNTRIES=json.dumps(countries),
        PRODUCTS=json.dumps(products),
        ANOMALIES=json.dumps(anomalies),
    )

    assert (validation["accepted"], validation["rejected"]) == (197, 6)
    assert sum(country["orders"] for country in countries) == validation["accepted"]
    assert report["revenue_eur"] == pytest.approx(
        sum(product["revenue_eur"] for product in products), abs=len(products)
    )
    assert len(report["to_look_at"]) == 3


def test_the_log_triage_pages_for_the_incident(tmp_path: Path) -> None:
    scripts = Scripts("globex", tmp_path / "output")

    parsed = scripts.run("parse.py")
    errors = scripts.run("errors.py")
    slow = scripts.run("slow.py", SLOW_MS="1500")["endpoints"]
    scanners = scripts.run("scanners.py")["clients"]
    message = scripts.run(
        "notify.py", "page", ERRORS=json.dumps(errors), SLOW=json.dumps(slow), SCANNERS=json.dumps(scanners)
    )

    assert sum(errors["statuses"].values()) == parsed["requests"]
    assert [found["endpoint"] for found in slow] == ["POST /api/checkout"]
    assert [found["client"] for found in scanners] == ["192.0.2.66"]
    assert message["channel"] == "page"
