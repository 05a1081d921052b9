"""Credentials that the gateway gives for one attempt."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from headgate.domain.runner_protocol import Released, Result, Task
from headgate.runner import execution
from headgate.runner.client import GatewayRefused, GatewayUnavailable, NotOurs
from tests.unit.runner.tasks import a_task, an_executor, script

SECRET = "hunter22-hunter22"


@dataclass
class Giver:
    """A gateway that has one credential, after so many failures."""

    failures: list[Exception] = field(default_factory=list)
    asked: list[tuple[str, list[str]]] = field(default_factory=list)

    async def release(self, task: Task, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        self.asked.append((task.node, list(names)))
        if self.failures:
            raise self.failures.pop(0)
        return {"shop": {"password": SECRET}}


def telling(key: str = "password") -> dict[str, Any]:
    """A script that tells its secret in every way it has."""
    env = [{"name": "P", "valueFrom": {"credentialKeyRef": {"name": "shop", "key": key}}}]
    return script('echo "$P"; echo "\\"$P\\"" > $HEADGATE_OUTPUT', env=env)


async def executed(giver: Giver, work: dict[str, Any], lines: list[str] | None = None) -> Result:
    return await replace(an_executor(lines), release=giver.release).execute(a_task(work))


async def test_each_attempt_asks_anew_for_what_its_node_names_and_tells_none_of_it() -> None:
    giver, lines = Giver(), list[str]()

    first = await executed(giver, telling(), lines)
    await executed(giver, telling())
    other = await executed(giver, script("echo $P"), lines)

    assert (first.succeeded, first.output) == (True, "[redacted]")
    assert other.succeeded
    assert giver.asked == [("work", ["shop"])] * 2
    assert SECRET not in "".join(lines)


async def test_a_gateway_that_is_away_for_a_moment_is_asked_again() -> None:
    giver = Giver([GatewayUnavailable("down"), GatewayUnavailable("down")])

    assert (await executed(giver, telling())).succeeded
    assert len(giver.asked) == 3


@pytest.mark.parametrize("failure", [GatewayRefused("no such credential"), NotOurs("no such credential")])
async def test_who_is_refused_fails_with_what_was_said(failure: Exception) -> None:
    result = await executed(Giver([failure]), telling())

    assert (result.succeeded, result.reason) == (False, "CredentialRefused")
    assert result.message == "the node was not given its credentials: no such credential"


async def test_a_gateway_that_stays_away_fails_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "PATIENCE_SECONDS", 0.0)

    result = await executed(Giver([GatewayUnavailable("down")] * 9), telling())

    assert (result.reason, result.message) == ("CredentialRefused", "the node was not given its credentials: down")


async def test_a_key_that_is_missing_is_named() -> None:
    result = await executed(Giver(), telling("token"))

    assert (result.reason, result.message) == ("MissingCredential", "credential shop has no key token")


async def test_a_connection_string_may_come_from_a_credential() -> None:
    work = {"sql": {"credential": {"name": "shop", "key": "password"}, "query": "SELECT 1"}}

    result = await executed(Giver(), work)

    assert result.reason == "SqlConnection"
    assert SECRET not in result.message


def test_what_was_released_does_not_show() -> None:
    assert SECRET not in repr(Released(values={"shop": {"password": SECRET}}))
