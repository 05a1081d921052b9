"""Renders the chart as `helm install` would, for tests."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.tools import tool
from tests.support.documents import documents

CHART = Path(__file__).resolve().parent.parent / "charts" / "headgate"
WITH_DATABASE = {"database": {"existingSecret": "headgate-database"}}


class ChartError(Exception):
    """Helm refused; the message is Helm's."""


@dataclass(frozen=True)
class Rendered:
    """The objects that the chart makes for some values."""

    objects: tuple[dict[str, Any], ...]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The objects of a kind."""
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """The object of that name. Raises ``LookupError`` when there is none."""
        for found in self.all(kind):
            if found["metadata"]["name"] == name:
                return found
        raise LookupError(f"no {kind} {name}; there are: {[o['metadata']['name'] for o in self.all(kind)]}")

    def pods(self) -> dict[str, dict[str, Any]]:
        """The pod templates, by the name of the object that holds each."""
        holders = self.all("Deployment") + self.all("Job")
        return {holder["metadata"]["name"]: holder["spec"]["template"] for holder in holders}

    def environment(self) -> dict[str, str]:
        """The operator's plain environment variables."""
        [container] = self.pods()["headgate-operator"]["spec"]["containers"]
        return {each["name"]: each.get("value", "") for each in container["env"]}

    def rules(self, role: str) -> list[dict[str, Any]]:
        """The rules of a ClusterRole, as Kubernetes puts them together where the role is made of others."""
        found = self.one("ClusterRole", role)
        selectors = [each["matchLabels"] for each in found.get("aggregationRule", {}).get("clusterRoleSelectors", ())]
        parts = [
            part
            for part in self.all("ClusterRole")
            if any(labels.items() <= part["metadata"]["labels"].items() for labels in selectors)
        ]
        return [rule for each in (found, *parts) for rule in each.get("rules", ())]

    def verbs(self, role: str, resource: str) -> set[str]:
        """What a ClusterRole allows on a resource."""
        return {verb for rule in self.rules(role) if resource in rule["resources"] for verb in rule["verbs"]}


def render(values: Mapping[str, Any] | None = None, *, release: str = "headgate", apis: Iterable[str] = ()) -> Rendered:
    """Render with these values over the defaults, for a cluster that serves these kinds besides what every one serves.

    Raises ``ChartError`` for values that the schema refuses.
    """
    helm = tool("helm")
    done = subprocess.run(
        [
            str(helm),
            "template",
            release,
            str(CHART),
            "--namespace=headgate-system",
            "--values=-",
            *(f"--api-versions={api}" for api in apis),
        ],
        input=json.dumps(values or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChartError(done.stderr)
    return Rendered(tuple(documents(done.stdout)))
