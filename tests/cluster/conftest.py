"""What tests on a real cluster share: the cluster, the chart without its operator, a database, and operators to kill.

The operator under test runs as a process of this machine, with the identity and the permissions of the chart's service
account: so it can be killed at any moment, and what its role lacks shows.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from hack import image as images
from hack import install
from hack.cluster.provider import ClusterProvider
from hack.kube import Kube
from hack.postgres import RUNTIME, Server
from hack.record import NAMESPACE
from hack.test import Place
from headgate.cluster.client import KubeClient
from headgate.cluster.connection import connect
from headgate.store import migrate
from tests.support.cluster import Cluster
from tests.support.databases import TestDatabase, create_database, drop_database
from tests.support.identities import kubeconfig_of, operator_account
from tests.support.operator_process import LONG_LEASE, OperatorProcess

KEYS = "headgate-keys"
"""The Secret with the key-encryption keys."""
OPERATORS = pytest.StashKey[list[OperatorProcess]]()
"""The replicas that the tests of the present module made."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)
    # It takes away what all others share.
    items.sort(key=lambda item: item.path.name == "test_uninstall.py")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        made = item.session.stash.get(OPERATORS, [])
        report.sections.extend(("operator", each.state()) for each in made)
    return report


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest) -> Place:
    """Which of the tests' own clusters this process has."""
    return Place(getattr(request.config, "workerinput", {"cluster": 0})["cluster"])


@pytest.fixture(scope="session")
def provider(place: Place) -> ClusterProvider:
    """The cluster; brought up here where `make test` has not done so."""
    provider = place.provider()
    provider.up()
    return provider


@pytest.fixture(scope="session")
def kube(provider: ClusterProvider) -> Kube:
    """kubectl and helm against it."""
    return Kube(provider.kubeconfig)


@pytest.fixture(scope="session")
def image(provider: ClusterProvider, kube: Kube) -> str:
    """The image of these sources, on the node."""
    built = images.build()
    if not kube.has_image(images.full_name(built.tag)):
        provider.load_image(built.archive, built.tag)
    return built.tag


@pytest.fixture(scope="session")
def server(place: Place, provider: ClusterProvider) -> Iterator[Server]:
    """A Postgres that pods can reach."""
    allow = (provider.pod_cidr(), f"{provider.host_address()}/32")
    server = Server(place.state, listen=provider.host_address(), allow=allow, durable=False)
    running = server.pid() is not None
    yield server.up()
    if not running and not os.environ.get("KEEP"):
        server.down()


@pytest.fixture(scope="session")
def database(server: Server) -> Iterator[TestDatabase]:
    """A migrated database of this session."""
    database = create_database(server)
    migrate.upgrade(database.migration_url, runtime_login=RUNTIME)
    yield database
    drop_database(database)


@pytest.fixture(scope="session")
def chart_values(kube: Kube, image: str, database: TestDatabase) -> dict[str, Any]:
    """What the chart is given: a database, and keys by which its gateway keeps credentials."""
    install.namespace(kube)
    secret = install.database_secret(kube, install.Database(database.url, database.migration_url))
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": KEYS, "namespace": NAMESPACE},
            "stringData": {"keys": f"one: {base64.b64encode(bytes(range(32))).decode()}"},
        }
    )
    return {**install.values(kube, image, secret), "credentials": {"existingSecret": KEYS}}


@pytest.fixture(scope="session")
def release(kube: Kube, chart_values: dict[str, Any]) -> None:
    """The chart, with a database and without a running operator."""
    values = {part: {**chart_values[part], "replicas": count} for part, count in (("operator", 0), ("gateway", 1))}
    install.install(kube, chart_values | values)


@pytest.fixture(scope="session")
def operator_kubeconfig(release: None, kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig with the operator's own identity."""
    return kubeconfig_of(kube, operator_account(kube), tmp_path_factory.mktemp("identity") / "kubeconfig")


@pytest.fixture(scope="session")
def audit_log(provider: ClusterProvider) -> Path:
    """Where the API server writes who created, changed and deleted what."""
    path = provider.kubeconfig.parent / "logs" / "audit.log"
    if not path.exists():
        pytest.fail(f"the cluster keeps no audit log at {path}")
    return path


@pytest.fixture
async def cluster(provider: ClusterProvider, image: str) -> AsyncIterator[Cluster]:
    """The cluster as its administrator sees it."""
    connection = connect(str(provider.kubeconfig))
    client = KubeClient(connection, KubeClient.counter(CollectorRegistry()))
    yield Cluster(client, image)
    await client.aclose()


@pytest.fixture(scope="module")
def new_operator(
    place: Place, operator_kubeconfig: Path, database: TestDatabase, request: pytest.FixtureRequest
) -> Iterator[Callable[..., OperatorProcess]]:
    """Makes replicas that are not started yet; they are ended with the module."""
    stack = ExitStack()
    made = request.session.stash[OPERATORS] = []

    def make(name: str = "operator-1", *, database_url: str | None = database.url, **extra: str) -> OperatorProcess:
        log = place.logs / f"{Path(request.node.name).stem}-{name}.log"
        log.unlink(missing_ok=True)
        process = OperatorProcess(operator_kubeconfig, log, database_url, name, extra={**LONG_LEASE, **extra})
        stack.callback(process.stop)
        made.append(process)
        return process

    # All are stopped, also where one of them does not end in time: one that stays leads in the place of all later ones.
    with stack:
        yield make


@pytest.fixture(scope="module")
def operator(new_operator: Callable[..., OperatorProcess]) -> OperatorProcess:
    """A replica that leads."""
    return new_operator().start().wait_until_leading()
