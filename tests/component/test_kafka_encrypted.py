"""Brokers that speak TLS and ask for a password, by every mechanism that there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.runner import http
from headgate.runner.connectors import kafka
from headgate.runner.connectors.reach import Reach
from headgate.runner.errors import NodeFailed
from tests.support.certificates import Authority, an_authority
from tests.support.doubles import double
from tests.unit.runner.connectors.nodes import REACH, connector, hidden
from tests.unit.runner.tasks import HERE, secrets

PASSWORD = "correct-horse-battery"
MECHANISMS = {"Plain": "PLAIN", "ScramSha256": "SCRAM-SHA-256", "ScramSha512": "SCRAM-SHA-512"}
"""As nodes and as brokers call them. Each is the only one of the user that is called like it."""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return an_authority()


@pytest.fixture(scope="module")
def broker(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One that is called kafka.example, and calls itself by its address."""
    file: Path = authority.server(tmp_path_factory.mktemp("tls") / "broker.pem", "kafka.example", "127.0.0.1")
    users = ",".join(f"{theirs}:{ours}:{PASSWORD}" for ours, theirs in MECHANISMS.items())
    with double("kafka-double", "-topics", ",".join(MECHANISMS), "-certificate", str(file), "-users", users) as address:
        yield address


@pytest.fixture(autouse=True)
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runners trust what the image does, of which no test has a key."""
    monkeypatch.setattr(http, "trust", authority.trust)


async def run(broker: str, user: str, mechanism: str | None = None, password: str = PASSWORD, **operation: Any) -> Any:
    """What the operation gives, or by itself what is in the user's topic."""
    node = connector(
        "kafka",
        brokers=[f"kafka.example:{broker.rpartition(':')[2]}"],
        username=user,
        password=hidden("kafka"),
        mechanism=mechanism or user,
        **operation or {"consume": {"topic": user}},
    ).kafka
    assert node is not None
    return await kafka.execute(node, secrets(kafka=password), Reach(HERE, here))


async def here(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_records_are_written_and_read_with_a_password(broker: str, mechanism: str) -> None:
    await run(broker, mechanism, produce={"topic": mechanism, "records": [{"value": "one"}]})

    assert [record["value"] for record in (await run(broker, mechanism))["records"]] == ["one"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_a_wrong_password_is_refused_and_not_told(broker: str, mechanism: str) -> None:
    with pytest.raises(NodeFailed) as failure:
        await run(broker, mechanism, password="wrong-horse")

    assert failure.value.reason == "KafkaError"
    assert "horse" not in failure.value.message


async def test_a_password_is_shown_by_the_mechanism_that_is_named(broker: str) -> None:
    with pytest.raises(NodeFailed) as failure:
        await run(broker, "Plain", mechanism="ScramSha512")

    assert failure.value.reason == "KafkaError"


async def test_a_certificate_of_an_unknown_authority_is_not_trusted(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "trust", an_authority().trust)

    with pytest.raises(NodeFailed) as failure:
        await run(broker, "Plain")
    assert failure.value.reason in ("KafkaError", "ConnectorConnection")


async def test_a_certificate_of_another_name_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    file = authority.server(tmp_path / "other.pem", "other.example")
    options = ("-topics", "Plain", "-certificate", str(file), "-users", f"PLAIN:Plain:{PASSWORD}")
    with double("kafka-double", *options) as other, pytest.raises(NodeFailed) as failure:
        await run(other, "Plain")

    assert failure.value.reason in ("KafkaError", "ConnectorConnection")


async def test_a_broker_in_the_clear_is_not_spoken_to_encrypted(broker: str) -> None:
    node = connector("kafka", brokers=[broker], tls=False, consume={"topic": "Plain"}).kafka
    assert node is not None
    with pytest.raises(NodeFailed) as failure:
        await kafka.execute(node, secrets(), REACH)

    assert failure.value.reason == "KafkaError"
