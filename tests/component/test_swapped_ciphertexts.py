"""What lies encrypted, moved between tenants or with a bit turned, as those meet it who use it over HTTP."""

from __future__ import annotations

import pytest

from tests.component.api_client import Api
from tests.component.vault import PASSWORD, Vault
from tests.component.webhook_client import KEY, OTHER_KEY, OTHER_SECRET, SECRET, Sender, hooked
from tests.component.world import World

SWAPPED = """
    UPDATE headgate.{table} mine SET {columns} FROM headgate.{table} theirs
    WHERE mine.workspace_id <> theirs.workspace_id RETURNING 1
"""
COPIED_KEYS = """
    INSERT INTO headgate.data_keys
    SELECT w.id, k.id, k.key_encryption_key, k.wrapped, k.created_at, now()
    FROM headgate.data_keys k JOIN headgate.workspaces w ON w.id <> k.workspace_id RETURNING 1
"""
TURNED = "UPDATE headgate.{table} SET {column} = set_byte({column}, {at}, get_byte({column}, {at}) # 16) RETURNING 1"
NONCE, CONTENT, TAG = "3", "20", "octet_length({column}) - 5"


@pytest.fixture
async def senders(world: World, api: Api) -> dict[str, Sender]:
    """Two tenants with a webhook of the same name each, whose secrets are not the same."""
    await world.given_workspace("other")
    made = {name: Sender(api, f"/hooks/{name}/orders") for name in ("acme", "other")}
    for name, secret in (("acme", SECRET), ("other", OTHER_SECRET)):
        await made[name].given_secret(name, current=secret)
        await world.given(hooked(), name)
    return made


async def turned(world: World, table: str, column: str, part: str) -> None:
    text = TURNED.format(table=table, column=column, at=part.format(column=column))
    assert await world.rows(text)


async def test_secrets_that_were_swapped_between_tenants_sign_nothing_for_the_other(
    world: World, senders: dict[str, Sender]
) -> None:
    assert (await senders["acme"].send(key=KEY)).status_code == 202
    assert (await senders["other"].send(key=OTHER_KEY)).status_code == 202

    assert len(await world.rows(COPIED_KEYS)) == 2
    moved = "id = theirs.id, sealed = theirs.sealed, data_key_id = theirs.data_key_id, version = theirs.version"
    assert len(await world.rows(SWAPPED.format(table="credentials", columns=moved))) == 2

    for name in ("acme", "other"):
        for key in (KEY, OTHER_KEY):
            answer = await senders[name].send("msg-2", key=key)
            assert (answer.status_code, answer.json()["detail"][:27]) == (401, "there is no such webhook, o")


@pytest.mark.parametrize("part", [NONCE, CONTENT, TAG])
@pytest.mark.parametrize(("table", "column"), [("credentials", "sealed"), ("data_keys", "wrapped")])
async def test_a_secret_with_a_bit_turned_signs_nothing(
    world: World, senders: dict[str, Sender], table: str, column: str, part: str
) -> None:
    await turned(world, table, column, part)

    answers = [await sender.send(key=key) for sender in senders.values() for key in (KEY, OTHER_KEY)]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


async def test_a_body_of_another_tenant_is_delivered_to_nobody(world: World, senders: dict[str, Sender]) -> None:
    told = await senders["acme"].accepted("msg-1", key=KEY)
    await senders["other"].accepted("msg-1", {"note": "of the other"}, key=OTHER_KEY)

    assert len(await world.rows(COPIED_KEYS)) == 2
    moved = "sealed = theirs.sealed, data_key_id = theirs.data_key_id"
    text = SWAPPED.format(table="webhook_deliveries", columns=moved).replace(
        "RETURNING", "AND mine.workspace_id = %s RETURNING"
    )
    assert await world.rows(text, world.ids["acme"])

    await assert_not_redelivered(world, senders["acme"], told["delivery"])


@pytest.mark.parametrize("part", [NONCE, CONTENT, TAG])
@pytest.mark.parametrize(("table", "column"), [("webhook_deliveries", "sealed"), ("data_keys", "wrapped")])
async def test_a_body_with_a_bit_turned_is_delivered_to_nobody(
    world: World, senders: dict[str, Sender], table: str, column: str, part: str
) -> None:
    told = await senders["acme"].accepted(key=KEY)

    await turned(world, table, column, part)

    await assert_not_redelivered(world, senders["acme"], told["delivery"])


async def assert_not_redelivered(world: World, sender: Sender, delivery: str) -> None:
    before = await world.rows("SELECT id FROM headgate.workflow_executions ORDER BY id")

    answer = await sender.api.call("POST", f"/deliveries/{delivery}/redeliver")

    assert (answer.status_code, answer.json()["reason"]) == (409, "NotKept")
    assert answer.json()["detail"] == "what is stored cannot be decrypted: it was changed, or belongs elsewhere"
    assert await world.rows("SELECT id FROM headgate.workflow_executions ORDER BY id") == before


async def test_credentials_that_cannot_be_opened_are_named_when_keys_are_rotated_and_nothing_else(
    world: World, api: Api
) -> None:
    vault = Vault(world)
    await vault.put("shop")
    await vault.put("bank")
    await world.rows(
        "UPDATE headgate.credentials a SET sealed = b.sealed FROM headgate.credentials b"
        " WHERE a.name = 'shop' AND b.name = 'bank' RETURNING 1"
    )

    answer = await api.call("POST", "/credentials/rotate")

    assert answer.json() == {"resealed": 1, "unreadable": ["shop"]}
    assert PASSWORD not in answer.text
