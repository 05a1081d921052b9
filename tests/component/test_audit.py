"""What is in the audit log: everything that somebody does, in the transaction in which it is done."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

import pytest

from headgate.api.members import Role
from headgate.api.workflow_run import Decision
from headgate.domain.audit import Act, Action, Actor, ActorKind
from headgate.engine.engine import Engine
from headgate.reconcile.steering import by_resource
from headgate.store import audit
from headgate.store.audit import Filters
from headgate.store.errors import StatementRefused
from tests.builders import a_workflow
from tests.component.api_client import Api
from tests.component.ledger import ALICE, SIGNING, Ledger
from tests.component.vault import PASSWORD, Vault
from tests.component.webhook_client import Sender, hooked
from tests.component.world import World, one_node

BOB = Actor(ActorKind.KUBERNETES, "WorkflowRun acme/r", "Kubernetes")


@pytest.fixture
def ledger(world: World) -> Ledger:
    return Ledger(world)


async def me(api: Api) -> str:
    """The caller as the log names it."""
    keys = await api.world.engine.api_keys.list(api.world.ids["acme"])
    return f"apikey:{keys.keys[0].id}"


async def test_runs_that_somebody_starts_and_steers_by_the_api(world: World, api: Api, ledger: Ledger) -> None:
    await world.given(one_node())
    run = (await api.start())["id"]
    for what in ("suspend", "resume", "cancel"):
        await api.post(f"/runs/{run}/{what}")
    await world.fail(UUID(run))
    await api.post(f"/runs/{run}/retry")

    actions = ["run.start", "run.suspend", "run.resume", "run.cancel", "run.retry"]
    assert await ledger.told() == [(action, await me(api), f"run/{run}") for action in actions]
    assert await ledger.finding() is None


async def test_what_changes_nothing_is_no_entry(world: World, api: Api, ledger: Ledger) -> None:
    await world.given(one_node())
    run = (await api.start())["id"]
    for _ in range(3):
        await api.post(f"/runs/{run}/cancel")

    assert [action for action, _, _ in await ledger.told()] == ["run.start", "run.cancel"]


async def test_a_request_that_is_repeated_starts_one_run_and_is_one_entry(
    world: World, api: Api, ledger: Ledger
) -> None:
    await world.given(one_node())
    for status in (201, 200):
        await api.post("/runs", {"workflow": "nightly"}, status=status, headers={"Idempotency-Key": "once"})

    assert len(await ledger.told()) == 1


async def test_keys_that_are_made_and_revoked(world: World, api: Api, ledger: Ledger) -> None:
    made = await api.post("/keys", {"name": "deploy", "role": "viewer"}, status=201)
    for _ in range(2):
        assert (await api.call("DELETE", f"/keys/{made['id']}")).status_code == 200

    assert [(action, to) for action, _, to in await ledger.told()] == [
        ("key.create", f"key/{made['id']}"),
        ("key.revoke", f"key/{made['id']}"),
    ]
    assert made["key"] not in str(await ledger.entries())


async def test_credentials_that_are_put_rotated_and_deleted(world: World, api: Api, ledger: Ledger) -> None:
    body = {"kind": "login", "values": {"password": PASSWORD}}
    assert (await api.call("PUT", "/credentials/shop", body)).status_code == 200
    assert (await api.call("POST", "/credentials/rotate")).status_code == 200
    for _ in range(2):
        await api.call("DELETE", "/credentials/shop")

    assert [(action, to) for action, _, to in await ledger.told()] == [
        ("credential.put", "credential/shop"),
        ("credential.rotate", "data-key"),
        ("credential.delete", "credential/shop"),
    ]
    assert PASSWORD not in str(await ledger.entries())


async def test_credentials_that_a_runner_is_given(world: World, ledger: Ledger) -> None:
    vault = Vault(world)
    await vault.put()
    ref = await vault.given_attempt("shop")
    await vault.released(ref, "shop")

    assert await ledger.told() == [("credential.release", "pod-1", f"run/{ref.run_id}")]
    assert await ledger.detail() == {"node": "work", "attempt": 1, "credentials": {"shop": 1}}


async def test_approvals_name_who_decides(world: World, api: Api, ledger: Ledger) -> None:
    await world.given(a_workflow("asking").with_node("ask", {"approval": {}}))
    runs = [(await api.start("asking"))["id"] for _ in range(2)]
    await api.post(f"/runs/{runs[0]}/reject", {"node": "ask", "comment": "no"})
    decision = Decision(node="ask", attempt=1, approved=True, by="carol", comment="")
    for _ in range(2):
        await world.engine.control.decide(world.ids["acme"], UUID(runs[1]), [decision], BOB)

    told = await ledger.told()
    assert told[2:] == [
        ("run.reject", await me(api), f"run/{runs[0]}"),
        ("run.approve", "carol", f"run/{runs[1]}"),
    ]


async def test_what_workflowruns_ask_for(world: World, ledger: Ledger) -> None:
    await world.given(one_node())
    by, acme = by_resource("acme", "r"), world.ids["acme"]
    run = await world.admit(by=by)
    for priority in (7, 7):
        await world.engine.control.prioritize(acme, run, priority, by)
    await world.engine.control.cancel(acme, run, "cancelled by spec.cancelNow", by)
    await world.engine.control.cancel_resource(acme, "key-1", by)

    entries = [entry for entry in await ledger.entries() if entry.actor_name == "WorkflowRun acme/r"]
    assert [entry.action for entry in entries] == ["run.start", "run.prioritize", "run.cancel"]


async def test_workspaces_whose_plan_changes_that_are_suspended_and_that_end(world: World, ledger: Ledger) -> None:
    await world.given_workspace(max_concurrent_runs=7)
    await world.given_workspace(max_concurrent_runs=7)
    await world.given_workspace(max_concurrent_runs=7, suspended=True)
    assert (await ledger.detail())["suspended"] == [False, True]
    await world.engine.workspaces.retire("acme")

    actions = ["workspace.create", "workspace.change", "workspace.change", "workspace.retire"]
    assert [entry.action for entry in await ledger.entries()] == actions
    assert await ledger.finding() is None


async def test_a_breaker_that_is_reset(world: World, ledger: Ledger) -> None:
    for token in ("one", "one", "two"):
        await world.engine.workspaces.reset_breaker(world.ids["acme"], token, BOB)

    assert [entry.action for entry in await ledger.entries()][1:] == ["breaker.reset", "breaker.reset"]


async def test_calls_that_are_refused_are_entries_up_to_a_number(world: World, api: Api, ledger: Ledger) -> None:
    viewer = (await api.issue(role=Role.VIEWER)).text
    for _ in range(20):
        assert (await api.call("GET", "/audit", token=viewer)).status_code == 403

    told = await ledger.told()
    assert [(action, to) for action, _, to in told] == [("call", "GET /api/v1/workspaces/acme/audit")] * 5
    assert (await ledger.last()).outcome == "Refused"
    assert "audit:read" in (await ledger.detail())["why"]


async def test_a_key_beyond_the_callers_own_is_an_entry(world: World, api: Api, ledger: Ledger) -> None:
    ending = (await api.issue(expires_at=world.clock.now + timedelta(days=1))).text
    answer = await api.call("POST", "/keys", {"name": "for ever", "role": "viewer"}, token=ending)

    assert answer.status_code == 403
    assert [(action, to) for action, _, to in await ledger.told()] == [("call", "POST /api/v1/workspaces/acme/keys")]


async def test_what_is_rolled_back_is_no_entry(world: World, ledger: Ledger) -> None:
    before = await ledger.last()

    async def fail_after_it() -> None:
        async with world.database.tenant(world.ids["acme"]) as tx:
            await audit.append(tx, world.ids["acme"], world.clock.now, Act(ALICE, Action.CALL, "nothing"))
            await tx.execute("SELECT 1/0")

    with pytest.raises(StatementRefused):
        await fail_after_it()
    await ledger.given_entries(1)

    assert (await ledger.last()).sequence == before.sequence + 1
    assert await ledger.finding() is None


async def test_two_hundred_at_once_make_one_chain_without_a_gap(
    world: World, replicas: list[Engine], ledger: Ledger
) -> None:
    acme = world.ids["acme"]
    act = Act(ALICE, Action.KEY_CREATE, "key/1")
    turns = itertools.cycle(replicas)
    await asyncio.gather(*(next(turns).audit.note(acme, act) for _ in range(200)))

    found = await ledger.verified()
    assert (found.finding, found.entries) == (None, 201)


async def test_whoever_adds_an_entry_holds_up_no_other_workspace(world: World, ledger: Ledger) -> None:
    await world.given_workspace("other")
    async with world.database.tenant(world.ids["acme"]) as tx:
        await tx.execute(
            "SELECT FROM headgate.audit_heads WHERE workspace_id = %(id)s FOR UPDATE", {"id": world.ids["acme"]}
        )
        await ledger.given_entries(1, "other")

    assert (await ledger.last("other")).actor_name == "alice"


@pytest.mark.parametrize(
    "detail", [{"x": "y" * 10_000}, {"x": "\ud800\0"}, {"\u00fc": "\U0001f600"}, {"n": [1, 2.5, None, True]}]
)
async def test_whatever_is_said_can_be_kept_and_verified(world: World, ledger: Ledger, detail: dict[str, Any]) -> None:
    actor = Actor(ActorKind.USER, "\ud800\0" + "ü" * 400, "x" * 99)
    await world.engine.audit.note(world.ids["acme"], Act(actor, Action.CALL, "o" * 999, detail))

    assert await ledger.finding() is None


async def test_signing_again_signs_what_changed(world: World, ledger: Ledger) -> None:
    await world.given_workspace("other")
    assert [await ledger.sign() for _ in range(2)] == [2, 0]
    await ledger.given_entries(1, "other")
    assert await ledger.sign() == 1

    assert (await ledger.verified()).signed == 1
    assert (await ledger.verified("other")).signed == 2
    assert await ledger.of_rounds() is None


async def test_replicas_that_sign_at_once_make_one_row_of_rounds(
    world: World, replicas: list[Engine], ledger: Ledger
) -> None:
    for _ in range(3):
        await ledger.given_entries(1)
        await asyncio.gather(*(engine.audit.sign(SIGNING) for engine in replicas * 2))

    assert await ledger.of_rounds() is None
    assert (await ledger.verified()).signed == 4


async def test_owners_read_the_log_page_by_page(world: World, api: Api, ledger: Ledger) -> None:
    await ledger.given_entries(4)
    first = await api.get("/audit?limit=3")
    second = await api.get(f"/audit?limit=3&cursor={first['nextCursor']}")

    assert [item["sequence"] for item in (*first["items"], *second["items"])] == [5, 4, 3, 2, 1]
    assert second["nextCursor"] is None
    assert first["items"][0]["actor"] == {"kind": "user", "name": "alice", "via": "Kubernetes token"}
    assert first["items"][0]["hash"] == (await ledger.last()).hash.hex()


async def test_the_log_can_be_filtered(world: World, api: Api, ledger: Ledger) -> None:
    noon = world.clock.now
    await ledger.given_entries(2)
    world.clock.advance(hours=1)
    await world.given_workspace(max_concurrent_runs=7)
    at = noon.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    later = (noon + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def found(query: str) -> list[int]:
        return [item["sequence"] for item in (await api.get(f"/audit?{query}"))["items"]]

    assert await found("actor=alice") == [3, 2]
    assert await found("action=workspace.change") == [4]
    assert await found(f"since={at}&until={later}") == [3, 2, 1]
    assert await found(f"since={later}") == [4]
    for query in ("cursor=x", "cursor=0", "action=nothing", "since=2026"):
        assert (await api.call("GET", f"/audit?{query}")).status_code == 422


async def test_no_other_workspace_reads_it(world: World, api: Api, ledger: Ledger) -> None:
    await world.given_workspace("other")
    await ledger.given_entries(1, "other")
    page = await world.engine.audit.list(world.ids["acme"], Filters(actor="alice"))

    assert page.entries == ()
    assert (await api.call("GET", "/audit", workspace="other")).status_code == 404


async def test_deliveries_that_are_made_again(world: World, api: Api, ledger: Ledger) -> None:
    sender = Sender(api)
    await sender.given_secret()
    await world.given(hooked())
    told = await sender.accepted()
    again = await api.post(f"/deliveries/{told['delivery']}/redeliver", status=201)

    last = await ledger.last()
    assert (last.action, last.object) == ("delivery.redeliver", f"delivery/{told['delivery']}")
    assert await ledger.detail() == {"delivery": again["id"], "hook": "orders"}
