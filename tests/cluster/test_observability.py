"""What the operator tells of itself: metrics, logs, probes, and an end in order."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hack.kube import Kube
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER
from hack.record import NAMESPACE as OWN_NAMESPACE
from hack.record import ROOT
from headgate.cluster.resources import LEASES
from headgate.engine.call_limits.limits import CallLimits
from headgate.engine.definitions.reads import DefinitionReads
from headgate.engine.reading.run_changes import RunChanges
from headgate.gateway.metrics import CallCounts, DefinitionReadCounts, GatewayMetrics, HookMetrics, StandbyState
from headgate.gateway.streams import Streams
from headgate.store.standby import Standby
from tests.builders import a_quota, a_run, a_workflow, a_workspace
from tests.support.cluster import Cluster, unique
from tests.support.databases import TestDatabase
from tests.support.operator_process import OperatorProcess
from tests.support.shell import lasting, shell
from tests.support.waiting import eventually

LEASE = "headgate-operator"
SECRET_VALUE = "hunter2-in-a-secret"
INPUT_VALUE = "hunter2-in-an-input"
OUTPUT_VALUE = "hunter2-in-an-output"
DOCUMENTED = re.compile(r"^\| `(headgate_\w+)` \| (.*) \|$", re.MULTILINE)


@pytest.fixture
async def acme(cluster: Cluster) -> AsyncIterator[str]:
    """A namespace of a Workspace that is ready."""
    name = unique("seen")
    await cluster.apply(a_quota(name))
    await cluster.ready_workspace(a_workspace(name).with_quota(name))
    yield name
    await cluster.remove(workspaces=(name,), quotas=(name,))


@pytest.fixture
def only_leases(kube: Kube, operator_kubeconfig: Path, tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig with the right to lead, and no other."""
    name = unique("only-leases")
    where = f"--namespace={OWN_NAMESPACE}"
    kube.kubectl("create", "serviceaccount", name, where)
    kube.kubectl("create", "role", name, where, "--verb=get,create,update", "--resource=leases.coordination.k8s.io")
    kube.kubectl("create", "rolebinding", name, where, f"--role={name}", f"--serviceaccount={OWN_NAMESPACE}:{name}")
    config = yaml.safe_load(operator_kubeconfig.read_text())
    config["users"][0]["user"]["token"] = kube.kubectl("create", "token", name, where).strip()
    path = tmp_path / "kubeconfig"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config))
    yield path
    for kind in ("rolebinding", "role", "serviceaccount"):
        kube.kubectl("delete", kind, name, where)


@pytest.fixture
async def busy(operator: OperatorProcess, cluster: Cluster, acme: str) -> str:
    """A namespace in which runs ended in every way, and a Workflow is broken, beside a Workspace that is."""

    node = partial(shell, cluster)
    from_secret = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "token"}}}
    from_input = {"name": "SINCE", "value": "${{ inputs.since }}"}
    await cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "credentials", "namespace": acme},
            "stringData": {"token": SECRET_VALUE},
        },
        a_workflow("good", acme)
        .with_input("since", required=True)
        .with_node("work", node("true", env=[from_secret, from_input])),
        a_workflow("bad", acme).with_node(
            "work", node(f"""echo '"{OUTPUT_VALUE}"' > $HEADGATE_OUTPUT; echo $TOKEN >&2; exit 3""", env=[from_secret])
        ),
        a_workflow("long", acme).with_node("work", node(lasting(600))),
        a_workflow("broken", acme).with_schedule("never", "0 0 31 2 *").with_node("x", node("true"), after=["never"]),
        a_workspace(f"{acme}-lost").with_quota("nowhere"),
        a_run("good", acme, "good").with_inputs(since=INPUT_VALUE),
        a_run("bad", acme, "bad"),
        a_run("long", acme, "long").cancelled(),
    )
    for run, phase in (("good", "Succeeded"), ("bad", "Failed"), ("long", "Cancelled")):
        assert (await cluster.finished(run, acme))["status"]["phase"] == phase
    await cluster.remove(workspaces=(f"{acme}-lost",))
    return acme


def samples(operator: OperatorProcess) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample, by its name and labels."""
    families = text_string_to_metric_families(operator.get("/metrics"))
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


async def is_ready(operator: OperatorProcess) -> bool:
    """Whether it says so."""
    return await asyncio.to_thread(operator.answers, "/readyz") == HTTPStatus.OK


async def holder(cluster: Cluster) -> str:
    """Who holds the lease; nobody after an end in order."""
    return str((await cluster.kube.get(LEASES, LEASE, OWN_NAMESPACE))["spec"]["holderIdentity"])


def labelled(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """The key of a sample."""
    return name, frozenset(labels.items())


async def test_what_is_documented_is_served_and_the_other_way_round(operator: OperatorProcess) -> None:
    rows = dict(DOCUMENTED.findall((ROOT / "docs" / "operations.md").read_text()))
    documented = {name for name, meaning in rows.items() if not meaning.endswith("the gateway's own")}
    declared = re.findall(r"^# TYPE (headgate_\w+) ", operator.get("/metrics"), re.MULTILINE)

    assert set(declared) == documented
    assert len(declared) == len(set(declared))
    assert set(of_gateway()) == rows.keys() - documented
    assert len(of_gateway()) == len(set(of_gateway()))


def of_gateway() -> list[str]:
    """The metrics of a gateway that has Redis, and a replica of Postgres."""
    registry = CollectorRegistry()
    GatewayMetrics.register(registry)
    HookMetrics.register(registry)
    Streams(cast("RunChanges", None), registry, most=0, most_of_workspace=0)
    registry.register(CallCounts(cast("CallLimits", SimpleNamespace(by_loan=0, asked=0, redis_there=True))))
    registry.register(DefinitionReadCounts(cast("DefinitionReads", SimpleNamespace(read=0, asked=0))))
    standby = SimpleNamespace(keeps_up=True, lag=0.0, by_replica=0, by_primary=0)
    registry.register(StandbyState(cast("Standby", standby)))
    return re.findall(r"^# TYPE (headgate_\w+) ", generate_latest(registry).decode(), re.MULTILINE)


async def test_metrics_count_what_happened(operator: OperatorProcess, busy: str) -> None:
    running = labelled("headgate_runs", workspace=busy, state="running")

    async def counted() -> bool:
        found = samples(operator)
        logs = sum(value for (name, _), value in found.items() if name == "headgate_step_logs_total")
        return found.get(running) == 0 and logs >= len(("good", "bad"))

    await eventually(counted, what="a look at what is used after the runs ended, and their logs")
    found = samples(operator)
    assert found[labelled("headgate_leader")] == 1
    assert found[labelled("headgate_database_up")] == 1
    assert labelled("headgate_reconcile_queue_depth") in found
    assert found[labelled("headgate_reconcile_seconds_count", kind="workspace")] > 0
    assert found[labelled("headgate_kubernetes_requests_total", verb="POST", resource="jobs", code="201")] >= 2
    for phase in ("Succeeded", "Failed"):
        assert found[labelled("headgate_runs_finished_total", workspace=busy, phase=phase)] == 1
    assert found[labelled("headgate_run_duration_seconds_count", workspace=busy)] == 2
    assert 0 < found[labelled("headgate_run_duration_seconds_sum", workspace=busy)] < 120
    used = {label for name, labels in found if name.startswith("headgate_") for label, _ in labels}
    bounded = {"kind", "verb", "resource", "code", "workspace", "phase", "state", "le", "result", "dependency"}
    assert used == bounded, "a label that is not bounded"


async def test_logs_are_json_with_the_fields_of_the_audit(operator: OperatorProcess, busy: str) -> None:
    del busy
    lines = [json.loads(line) for line in operator.log.read_text().splitlines()]

    assert len(lines) >= 3
    for line in lines:
        assert {"timestamp", "level", "service", "message"} <= line.keys(), line
        assert line.keys() <= {"timestamp", "level", "service", "trace_id", "workspace_id", "message", "metadata"}, line
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() is not None
        assert line["level"] in {"info", "warn", "error"}
        assert line["service"] == "headgate-operator"
        assert isinstance(line.get("metadata", {}), dict)
    assert [line for line in lines if line["level"] == "error"] == []


async def test_neither_logs_nor_metrics_tell_secrets(
    operator: OperatorProcess, busy: str, database: TestDatabase
) -> None:
    del busy
    known = database.server.secrets()
    logins = (RUNTIME, MIGRATOR, SUPERUSER)
    told = operator.log.read_text() + operator.get("/metrics")

    assert not [value for value in (SECRET_VALUE, INPUT_VALUE, OUTPUT_VALUE) if value in told]
    assert not [login for login in logins if known.password(login) in told]


async def test_sigterm_ends_the_process_in_order_and_hands_over(
    cluster: Cluster,
    operator: OperatorProcess,
    new_operator: Callable[..., OperatorProcess],
    record_property: Callable[[str, object], None],
) -> None:
    standby = new_operator("standby").start()
    await eventually(lambda: is_ready(standby), what="the standby's readiness")
    began = time.monotonic()

    code = await asyncio.to_thread(operator.stop)

    record_property("seconds until the end", round(time.monotonic() - began, 3))
    assert code == 0
    assert operator.log_lines()[-1]["message"] == "ended"
    await asyncio.to_thread(standby.wait_until_leading)
    record_property("seconds until another one leads", round(time.monotonic() - began, 3))
    assert await holder(cluster) == "standby"

    assert await asyncio.to_thread(standby.stop) == 0

    assert await holder(cluster) == ""


async def test_a_leader_that_cannot_fill_its_caches_is_not_ready_and_still_ends_in_order(
    cluster: Cluster, operator: OperatorProcess, new_operator: Callable[..., OperatorProcess], only_leases: Path
) -> None:
    operator.stop()
    powerless = new_operator("powerless")
    powerless.kubeconfig = only_leases
    powerless.start()

    async def leads() -> bool:
        return await asyncio.to_thread(powerless.answers, "/metrics") == HTTPStatus.OK and (
            powerless.metric("headgate_leader") == 1
        )

    await eventually(leads, what="leadership")
    assert powerless.answers("/readyz") == HTTPStatus.SERVICE_UNAVAILABLE
    assert powerless.answers("/healthz") == HTTPStatus.OK
    assert await holder(cluster) == "powerless"

    assert await asyncio.to_thread(powerless.stop) == 0

    assert await holder(cluster) == ""
