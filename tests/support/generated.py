"""Workflows, Quotas and Workspaces as hostile and careless people would write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from headgate.api.base import API_VERSION
from tests.builders import Builder, a_quota, a_workflow, a_workspace, container
from tests.support.documents import document
from tests.support.generate import ANY_JSON, Way, many, mutated, one_of, parts
from tests.support.hostile import METADATA, NAMES

Json = Any
_DEFINITIONS = Path(__file__).resolve().parents[2] / "crds"
_SELDOM = 13
"""What is drawn seldom: Hypothesis prefers the ends of ranges."""
_MOST_NODES, _MOST_DEPENDENCIES = 100, 20


@dataclass(frozen=True)
class Crowd:
    """How many objects of each kind there are, and what they may lean on."""

    workflows: int
    quotas: int
    workspaces: int
    prefix: str
    """Begins the names of those that have a name of their own."""
    namespaces: Sequence[str]
    """Where Workflows go."""
    plans: Sequence[str]
    """Quotas that Workspaces are on; most of them should not exist, as a Workspace that is good is work."""
    others: Sequence[str]
    """Namespaces of others, which hostile Workspaces ask for."""

    def objects(self, number: int) -> list[dict[str, Json]]:
        """All of them, mixed; the same ones for the same seed, in the same run of the same tests."""
        wanted = (
            (self.workflows, "workflows", self._workflow_bases(), self.namespaces),
            (self.quotas, "quotas", self._quota_bases(), ()),
            (self.workspaces, "workspaces", self._workspace_bases(), ()),
        )
        made = [
            [
                _named(item, f"{self.prefix}-{plural[:5]}-{index}")
                for index, item in enumerate(many(_manifests(plural, bases, places), count, number))
            ]
            for count, plural, bases, places in wanted
        ]
        return list(_mixed(made))

    def _workflow_bases(self) -> list[Builder[Any]]:
        rich = (
            a_workflow()
            .with_spec(displayName="Nightly load", timeout="2h", suspend=False)
            .with_input("rows", default=3, description="How many")
            .with_schedule("at-two", "0 2 * * *", timeZone="Europe/Berlin", missedRuns="All")
            .with_node("load", _rich_container(), after=["by-hand", "at-two"], retry={"limit": 2}, timeout="5m")
            .with_condition("enough", "nodes.load.output.rows > inputs.rows", after=["load"])
            .with_node("report", container(), after=["enough"])
            .with_node("complain", container(), after=["enough:false"])
        )
        small = a_workflow().with_node("only", container())
        scheduled = a_workflow().with_schedule("tick", "*/5 * * * *").with_node("tock", container(), after=["tick"])
        asking = a_workflow().with_condition("ask", "inputs.rows > 3", after=["by-hand"]).with_input("rows", default=1)
        # What no schema can refuse, so that there is something to repair.
        never = a_workflow().with_schedule("never", "0 0 30 2 *").with_node("x", container(), after=["never"])
        unread = a_workflow().with_condition("ask", "inputs.nobody > 3", after=["by-hand"])
        return [rich, rich, rich, small, small, scheduled, asking, asking, never, unread, _wide()]

    def _quota_bases(self) -> list[Builder[Any]]:
        amounts: dict[str, str] = {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}
        full = (
            a_quota()
            .with_limits(maxWorkflows=5, maxExecutionsPerDay=10, maxStorageMB=1, maxConcurrentRuns=0)
            .with_compute(**{"requests.cpu": "4", "limits.memory": "8Gi", "pods": "20", "count/jobs.batch": "5"})
            .with_container_defaults(default=amounts, defaultRequest=amounts, max=amounts, min={"cpu": "1m"})
        )
        return [a_quota(), full, full, full.with_spec(sharing="Shared", onExceeded="Reject")]

    def _workspace_bases(self) -> list[Builder[Any]]:
        plain = [a_workspace().with_quota(plan) for plan in self.plans]
        full = [_full(base) for base in plain]
        thieves = [a_workspace().with_value("spec.namespaces", [{"name": name, "adopt": True}]) for name in self.others]
        return [*plain, *full, *full, *(thief.with_quota(self.plans[0]) for thief in thieves)]


def _rich_container() -> dict[str, Json]:
    secret = {"secretKeyRef": {"name": "access", "key": "token"}}
    return container(
        "registry.example.com/team/app:1.2",
        imagePullPolicy="IfNotPresent",
        command=["sh", "-c"],
        args=["echo ${{ inputs.rows }}"],
        env=[{"name": "ROWS", "value": "${{ inputs.rows }}"}, {"name": "TOKEN", "valueFrom": secret}],
        mounts=[{"path": "/etc/data", "configMap": "data"}, {"path": "/etc/access", "secret": "access"}],
        resources={"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        runAsUser=1000,
    )


def _wide() -> Builder[Any]:
    """As many nodes and dependencies as a Workflow may have."""
    wide, ids = a_workflow(), ["by-hand"]
    for number in range(_MOST_NODES - 1):
        wide = wide.with_node(f"node-{number}", container("busybox"), after=ids[-_MOST_DEPENDENCIES:])
        ids.append(f"node-{number}")
    return wide


def _full(base: Builder[Any]) -> Builder[Any]:
    return base.with_spec(
        members=[
            {"role": "owner", "subject": {"kind": "User", "name": "alice@example.com"}},
            {"role": "viewer", "subject": {"kind": "ServiceAccount", "name": "ci", "namespace": "builds"}},
        ],
        network={
            "egress": [{"cidr": "203.0.113.0/24", "ports": [{"port": 443, "endPort": 444}]}, {"internet": True}],
            "ingress": [{"cidr": "10.0.0.0/8", "ports": [{"protocol": "UDP", "port": 53}]}],
        },
        podSecurity="baseline",
        images={"allowedRegistries": ["registry.example.com/team"]},
        scheduling={"nodeSelector": {"kubernetes.io/os": "linux"}},
        circuitBreaker={"failureThreshold": 5, "window": "5m", "coolDown": "1m"},
        retention={"executionDays": 1},
        deletionPolicy="Delete",
    )


def _manifests(plural: str, bases: Sequence[Builder[Any]], places: Sequence[str]) -> st.SearchStrategy[dict[str, Json]]:
    schema = _spec_schema(plural)
    fitting: Mapping[Way, st.SearchStrategy[Json]] = dict(parts(schema))
    specs = one_of([base.manifest()["spec"] for base in bases])
    mixed = st.sampled_from(range(20))
    kind = bases[0].manifest()["kind"]

    @st.composite
    def manifest(draw: st.DrawFn) -> dict[str, Json]:
        how = draw(mixed)
        if how < 2:
            spec = draw(fitting[()])
        elif how < 3:
            spec = draw(ANY_JSON)
        elif how < 5:
            spec = draw(specs)
        else:
            spec = draw(mutated(specs, fitting))
        metadata: dict[str, Json] = {"namespace": draw(st.sampled_from(places))} if places else {}
        if draw(st.sampled_from(range(16))) == _SELDOM:
            metadata = {**metadata, **draw(one_of(METADATA))}
        if draw(st.sampled_from(range(25))) == _SELDOM:
            metadata["name"] = draw(st.sampled_from(NAMES))
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}

    return manifest()


def _spec_schema(plural: str) -> Mapping[str, Json]:
    definition = document((_DEFINITIONS / f"{plural}.yaml").read_text())
    version = definition["spec"]["versions"][0]
    schema: Mapping[str, Json] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def _named(item: dict[str, Json], name: str) -> dict[str, Json]:
    """The object under a name that no other has, unless it was given a hostile one."""
    return {**item, "metadata": {"name": name, **item["metadata"]}}


def _mixed(kinds: Sequence[Sequence[Json]]) -> Iterator[Json]:
    """The items of all sequences, each spread evenly over the whole."""
    places = sorted((index / len(kind), which, index) for which, kind in enumerate(kinds) for index in range(len(kind)))
    for _, which, index in places:
        yield kinds[which][index]
