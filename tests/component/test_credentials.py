"""Credentials: kept by version, handed only to the attempts that name them, and each time recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from headgate.domain.credentials import MOST_CREDENTIALS, CredentialInvalid, Values
from headgate.engine.credentials import credentials as use_cases
from headgate.engine.credentials.types import (
    CredentialConflict,
    CredentialMissing,
    CredentialRefused,
    CredentialView,
    KeysMissing,
)
from headgate.engine.types import LeaseLost, Outcome, TaskRef
from tests.builders import a_workflow
from tests.component.vault import LEASE, PASSWORD, Vault
from tests.component.world import NOON, World


@pytest.fixture
def vault(world: World) -> Vault:
    return Vault(world)


async def test_a_credential_is_listed_without_its_values(vault: Vault) -> None:
    put = await vault.put("shop")
    await vault.put("bank", kind="token", by="bob")

    listed = await vault.credentials.list(vault.world.ids["acme"])

    assert put == CredentialView("shop", "login", 1, "alice", NOON, "alice", NOON)
    assert [(view.name, view.kind, view.created_by) for view in listed] == [
        ("bank", "token", "bob"),
        ("shop", "login", "alice"),
    ]
    assert not [field for view in listed for field in vars(view) if "value" in field or "seal" in field]


async def test_replacing_one_makes_another_version(vault: Vault) -> None:
    await vault.put("shop")
    vault.world.clock.advance(minutes=1)

    replaced = await vault.put("shop", "a newer one", kind="token", by="bob")

    assert (replaced.version, replaced.kind) == (2, "token")
    assert (replaced.created_by, replaced.created_at) == ("alice", NOON)
    assert (replaced.updated_by, replaced.updated_at) == ("bob", vault.world.clock.now)
    ref = await vault.given_attempt("shop")
    assert await vault.released(ref, "shop") == {"shop": {"password": "a newer one"}}


async def test_who_expects_another_version_changes_nothing(vault: Vault) -> None:
    with pytest.raises(CredentialConflict, match="credential shop does not exist, and version 1 was expected"):
        await vault.put("shop", expected=1)
    await vault.put("shop", expected=0)
    with pytest.raises(CredentialConflict, match="credential shop is at version 1, and version 0 was expected"):
        await vault.put("shop", "another", expected=0)
    with pytest.raises(CredentialConflict):
        await vault.credentials.delete(vault.world.ids["acme"], "shop", expected=2)

    ref = await vault.given_attempt("shop")
    assert await vault.released(ref, "shop") == {"shop": {"password": PASSWORD}}
    assert (await vault.put("shop", expected=1)).version == 2


async def test_of_many_who_expect_the_same_version_one_wins(vault: Vault) -> None:
    results = await asyncio.gather(*(vault.put("shop", f"p-{n}", expected=0) for n in range(8)), return_exceptions=True)

    won = [index for index, result in enumerate(results) if isinstance(result, CredentialView)]
    assert len(won) == 1
    assert sum(isinstance(result, CredentialConflict) for result in results) == 7
    ref = await vault.given_attempt("shop")
    assert await vault.released(ref, "shop") == {"shop": {"password": f"p-{won[0]}"}}
    assert len(await vault.data_keys()) == 1


async def test_a_deleted_one_is_gone_and_its_releases_stay(vault: Vault) -> None:
    acme = vault.world.ids["acme"]
    await vault.put("shop")
    ref = await vault.given_attempt("shop")
    await vault.released(ref, "shop")

    assert await vault.credentials.delete(acme, "shop")

    assert not await vault.credentials.delete(acme, "shop")
    assert await vault.credentials.list(acme) == ()
    with pytest.raises(CredentialMissing, match="the workspace has no credential shop"):
        await vault.released(ref, "shop")
    [kept] = await vault.credentials.releases(acme, "shop")
    assert (kept.run_id, kept.node, kept.attempt, kept.runner) == (ref.run_id, "work", 1, "pod-1")
    assert (await vault.put("shop")).version == 1


async def test_a_workspace_that_ends_takes_its_credentials_and_keys_along(vault: Vault) -> None:
    await vault.world.given_workspace("other")
    await vault.put("shop")
    await vault.put("shop", workspace="other")
    ref = await vault.given_attempt("shop")
    await vault.released(ref, "shop")
    await vault.credentials.rotate_data_key(ref.workspace_id)

    await vault.world.engine.workspaces.retire("acme")

    assert [row["workspace_id"] for row in await vault.data_keys()] == [vault.world.ids["other"]]
    assert await vault.credentials.list(ref.workspace_id) == ()
    assert len(await vault.recorded()) == 1


async def test_each_release_is_recorded_once(vault: Vault) -> None:
    await vault.put("shop")
    await vault.put("bank")
    ref = await vault.given_attempt("shop", "bank")

    await vault.released(ref, "shop", "bank", "shop")
    vault.world.clock.advance(seconds=1)
    await vault.released(ref, "shop")

    rows = await vault.recorded()
    assert sorted(row["credential"] for row in rows) == ["bank", "shop", "shop"]
    assert len({row["id"] for row in rows}) == 3
    newest, first = await vault.credentials.releases(ref.workspace_id, "shop")
    assert (first.released_at, newest.released_at) == (NOON.replace(microsecond=1000), vault.world.clock.now)
    assert {(row["execution_id"], row["node"], row["attempt"], row["runner"], row["version"]) for row in rows} == {
        (ref.run_id, "work", 1, "pod-1", 1)
    }
    assert await vault.credentials.releases(ref.workspace_id, "shop", limit=1) == (newest,)


async def test_all_or_none_are_released(vault: Vault) -> None:
    await vault.put("shop")
    ref = await vault.given_attempt("shop", "bank")

    with pytest.raises(CredentialMissing, match="no credential bank"):
        await vault.released(ref, "shop", "bank")

    assert await vault.recorded() == []


Wrong = Callable[[TaskRef], TaskRef]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda ref: replace(ref, node="other"),
        lambda ref: replace(ref, attempt=2),
        lambda ref: replace(ref, run_id=uuid4()),
        lambda ref: replace(ref, run_id=UUID(int=0)),
    ],
)
async def test_another_attempt_is_given_nothing(vault: Vault, wrong: Wrong) -> None:
    await vault.put("shop")
    ref = await vault.given_attempt("shop")

    with pytest.raises(LeaseLost):
        await vault.released(wrong(ref), "shop")
    assert await vault.recorded() == []


async def test_only_who_holds_the_attempt_is_given_anything(vault: Vault) -> None:
    await vault.put("shop")
    ref = await vault.given_attempt("shop")
    runners = vault.world.engine.runner_tasks

    with pytest.raises(LeaseLost):
        await vault.released(ref, "shop", holder="pod-2")
    vault.world.clock.advance(seconds=15)
    assert await vault.released(ref, "shop")
    await runners.claim(ref.workspace_id, "acme", ref.run_id, "pod-2", LEASE)
    with pytest.raises(LeaseLost):
        await vault.released(ref, "shop")
    assert await vault.released(ref, "shop", holder="pod-2")
    await runners.complete(ref, "acme", Outcome(succeeded=True), "pod-2", LEASE)
    with pytest.raises(LeaseLost):
        await vault.released(ref, "shop", holder="pod-2")
    assert sorted(row["runner"] for row in await vault.recorded()) == ["pod-1", "pod-2"]


async def test_an_attempt_whose_time_is_over_is_given_nothing(vault: Vault) -> None:
    await vault.put("shop")
    ref = await vault.given_attempt("shop")
    vault.world.clock.advance(hours=24)

    with pytest.raises(LeaseLost):
        await vault.released(ref, "shop")


async def test_of_a_credential_a_node_is_given_the_keys_that_it_names(vault: Vault) -> None:
    await vault.put("shop", values=Values({"password": PASSWORD, "user": "shop", "spare": "another"}))
    ref = await vault.given_attempt("shop", "shop")

    assert await vault.released(ref, "shop") == {"shop": {"password": PASSWORD}}

    await vault.put("shop", values=Values({"user": "shop"}))
    with pytest.raises(CredentialMissing, match="credential shop has no key password"):
        await vault.released(ref, "shop")
    assert len(await vault.recorded()) == 1


async def test_what_a_job_or_nobody_holds_is_given_nothing(vault: Vault) -> None:
    await vault.put("shop")
    await vault.world.given(a_workflow().with_node("work"))
    ref = vault.world.ref(await vault.world.admit(), "work")
    await vault.world.claim(holder="pod-1")

    with pytest.raises(LeaseLost):
        await vault.released(ref, "shop")


async def test_a_credential_that_the_node_does_not_name_is_refused(vault: Vault) -> None:
    await vault.put("shop")
    await vault.put("bank")
    ref = await vault.given_attempt("shop")

    for name in ("bank", "not-there"):
        with pytest.raises(CredentialRefused, match=f"node work does not name the credential {name}"):
            await vault.released(ref, "shop", name)
    assert await vault.recorded() == []


async def test_http_and_sql_nodes_name_credentials_too(vault: Vault) -> None:
    await vault.put("shop")
    reference = {"name": "shop", "key": "password"}
    configs: list[dict[str, Any]] = [
        {"http": {"url": "https://example.com", "headers": [{"name": "X", "credentialKeyRef": reference}]}},
        {"sql": {"credential": reference, "query": "SELECT 1"}},
    ]
    for number, config in enumerate(configs):
        await vault.world.given(a_workflow(f"w{number}").with_node("work", config))
        run = await vault.world.admit(f"w{number}")
        acme = vault.world.ids["acme"]
        task, _ = await vault.world.engine.runner_tasks.claim(acme, "acme", run, "pod-1", LEASE)
        assert task is not None
        assert await vault.released(task.ref, "shop") == {"shop": {"password": PASSWORD}}


async def test_another_workspace_gets_nothing_whatever_it_asks_for(vault: Vault) -> None:
    other = await vault.world.given_workspace("other")
    await vault.put("shop")
    mine = await vault.given_attempt("shop")
    theirs = await vault.given_attempt("shop", workspace="other", holder="pod-9")

    with pytest.raises(CredentialMissing):
        await vault.released(theirs, "shop", holder="pod-9")
    with pytest.raises(LeaseLost):
        await vault.released(replace(mine, workspace_id=other), "shop")
    with pytest.raises(LeaseLost):
        await vault.released(replace(theirs, workspace_id=mine.workspace_id), "shop", holder="pod-9")
    assert await vault.credentials.list(other) == ()
    assert await vault.credentials.releases(other, "shop") == ()
    assert not await vault.credentials.delete(other, "shop")
    assert await vault.recorded() == []


async def test_two_workspaces_have_credentials_of_one_name(vault: Vault) -> None:
    await vault.world.given_workspace("other")
    await vault.put("shop", "ours")
    await vault.put("shop", "theirs", workspace="other")

    theirs = await vault.given_attempt("shop", workspace="other")

    assert await vault.released(theirs, "shop") == {"shop": {"password": "theirs"}}
    assert len({row["wrapped"] for row in await vault.data_keys()}) == 2


async def test_without_key_encryption_keys_nothing_is_kept_or_handed_out(vault: Vault) -> None:
    await vault.put("shop")
    ref = await vault.given_attempt("shop")
    without = vault.held_by(None)

    for attempt in (
        without.put(ref.workspace_id, "shop", "login", Values({"password": "p"}), by="alice"),
        without.release(ref, ["shop"], "pod-1"),
        without.rotate_data_key(ref.workspace_id),
        without.rewrap(),
    ):
        with pytest.raises(KeysMissing, match="set HEADGATE_KEY_ENCRYPTION_KEYS"):
            await attempt
    assert [view.name for view in await without.list(ref.workspace_id)] == ["shop"]


async def test_a_workspace_has_so_many_credentials_at_most(vault: Vault) -> None:
    acme = vault.world.ids["acme"]
    await vault.put("shop")
    await vault.world.rows(
        "INSERT INTO headgate.credentials SELECT workspace_id, 'c' || n, gen_random_uuid(), kind, 1, data_key_id,"
        " sealed, created_by, created_at, updated_by, updated_at"
        " FROM headgate.credentials, generate_series(2, %s) n RETURNING 1",
        MOST_CREDENTIALS,
    )

    with pytest.raises(CredentialInvalid, match=f"{MOST_CREDENTIALS} credentials at most: delete some"):
        await vault.put("one-more")
    await vault.put("shop", "another")
    await vault.credentials.delete(acme, "c2")
    await vault.put("one-more")


async def test_an_attempt_is_given_credentials_so_often_at_most(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use_cases, "MOST_RELEASES", 5)
    await vault.put("shop")
    ref = await vault.given_attempt("shop")

    results = await asyncio.gather(*(vault.released(ref, "shop") for _ in range(9)), return_exceptions=True)

    assert sum(isinstance(result, CredentialRefused) for result in results) == 4
    assert len(await vault.recorded()) == 5


@pytest.mark.parametrize("limit", [0, 501])
async def test_releases_are_listed_within_bounds(vault: Vault, limit: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 500"):
        await vault.credentials.releases(vault.world.ids["acme"], "shop", limit)


async def test_an_unusual_name_is_refused_before_anything_is_asked(vault: Vault) -> None:
    with pytest.raises(CredentialInvalid, match="a credential's name"):
        await vault.put("Shop")
