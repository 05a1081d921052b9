"""Credentials that somebody got at in Postgres: what was moved or changed is refused, and nothing can be read there."""

from __future__ import annotations

import base64
import logging
from typing import Any
from uuid import uuid4

import pytest

from headgate.domain.credentials import Values
from headgate.domain.envelope import CannotOpen
from headgate.engine.credentials.types import CredentialConflict, CredentialMissing, CredentialRefused
from headgate.engine.types import LeaseLost, TaskRef
from headgate.store.errors import StatementRefused
from tests.component.tables import SHARED_TABLES, TENANT_TABLES
from tests.component.vault import BOTH, NEW, NEW_KEY, OLD_KEY, PASSWORD, Vault
from tests.component.world import World

THEIRS = "sesame-open-thyself"


@pytest.fixture
async def vault(world: World) -> Vault:
    """Two workspaces, each with a credential ``shop``."""
    made = Vault(world)
    await world.given_workspace("other")
    await made.put("shop")
    await made.put("shop", THEIRS, "other")
    return made


async def changed(vault: Vault, statement: str, *parameters: Any) -> None:
    """Change rows as a superuser, with every rule of the database out of the way."""
    rows = await vault.world.rows(f"{statement} RETURNING 1", *parameters)
    assert rows


async def assert_refused(vault: Vault, ref: TaskRef, *names: str) -> None:
    """Nothing is given, nothing recorded, and nothing said of why."""
    before = len(await vault.recorded())
    with pytest.raises(CannotOpen) as refused:
        await vault.released(ref, *names or ("shop",))
    assert str(refused.value) == "what is stored cannot be decrypted: it was changed, or belongs elsewhere"
    assert len(await vault.recorded()) == before


SWAP = """
    UPDATE headgate.{table} mine SET {column} = theirs.{column} FROM headgate.{table} theirs
    WHERE mine.workspace_id = %s AND theirs.workspace_id = %s
"""


async def test_a_ciphertext_of_another_tenant_is_refused(vault: Vault) -> None:
    ref = await vault.given_attempt("shop")
    acme, other = vault.world.ids["acme"], vault.world.ids["other"]

    await changed(vault, SWAP.format(table="credentials", column="sealed"), acme, other)

    await assert_refused(vault, ref)


async def test_the_data_key_of_another_tenant_is_refused(vault: Vault) -> None:
    ref = await vault.given_attempt("shop")
    acme, other = vault.world.ids["acme"], vault.world.ids["other"]

    await changed(vault, SWAP.format(table="data_keys", column="wrapped"), acme, other)

    await assert_refused(vault, ref)


async def test_a_whole_row_of_another_tenant_with_its_data_key_is_refused(vault: Vault) -> None:
    ref = await vault.given_attempt("shop")
    acme, other = vault.world.ids["acme"], vault.world.ids["other"]
    # In one workspace an id of a data key is used once, so that the whole of theirs fits in beside ours.
    await changed(
        vault,
        "INSERT INTO headgate.data_keys SELECT %s, id, key_encryption_key, wrapped, created_at, now()"
        " FROM headgate.data_keys WHERE workspace_id = %s",
        acme,
        other,
    )

    await changed(
        vault,
        "UPDATE headgate.credentials mine SET id = theirs.id, sealed = theirs.sealed, data_key_id = theirs.data_key_id"
        " FROM headgate.credentials theirs WHERE mine.workspace_id = %s AND theirs.workspace_id = %s",
        acme,
        other,
    )

    await assert_refused(vault, ref)


@pytest.mark.parametrize("byte", [0, 11, 12, 20, -1])
@pytest.mark.parametrize(("table", "column"), [("credentials", "sealed"), ("data_keys", "wrapped")])
async def test_a_turned_bit_is_refused(vault: Vault, table: str, column: str, byte: int) -> None:
    ref = await vault.given_attempt("shop")
    at = f"(octet_length({column}) + {byte})" if byte < 0 else str(byte)

    await changed(
        vault, f"UPDATE headgate.{table} SET {column} = set_byte({column}, {at}, get_byte({column}, {at}) # 1)"
    )

    await assert_refused(vault, ref)


async def test_two_credentials_of_a_workspace_cannot_change_places(vault: Vault) -> None:
    await vault.put("bank", "of-the-bank")
    ref = await vault.given_attempt("shop", "bank")
    for columns in ("sealed = b.sealed", "sealed = b.sealed, id = b.id"):
        await changed(
            vault,
            f"UPDATE headgate.credentials a SET {columns} FROM headgate.credentials b"
            " WHERE a.workspace_id = b.workspace_id AND a.name = 'shop' AND b.name = 'bank'",
        )

        await assert_refused(vault, ref, "shop")


@pytest.mark.parametrize("change", ["version = version + 1", "kind = 'token'"])
async def test_version_and_kind_cannot_be_changed_beside_the_ciphertext(vault: Vault, change: str) -> None:
    ref = await vault.given_attempt("shop")

    await changed(vault, f"UPDATE headgate.credentials SET {change}")

    await assert_refused(vault, ref)


async def test_a_ciphertext_of_an_earlier_version_or_of_a_deleted_namesake_is_refused(vault: Vault) -> None:
    acme = vault.world.ids["acme"]
    ref = await vault.given_attempt("shop")
    [first] = await vault.world.rows("SELECT sealed FROM headgate.credentials WHERE workspace_id = %s", acme)
    put_back = "UPDATE headgate.credentials SET sealed = %s WHERE workspace_id = %s"

    await vault.put("shop", "the second")
    await changed(vault, put_back, first["sealed"], acme)
    await assert_refused(vault, ref)

    await vault.credentials.delete(acme, "shop")
    await vault.put("shop", "a namesake")
    await changed(vault, put_back, first["sealed"], acme)
    await assert_refused(vault, ref)


async def test_a_data_key_said_to_be_wrapped_by_another_key_is_refused(vault: Vault) -> None:
    ref = await vault.given_attempt("shop")

    await changed(vault, "UPDATE headgate.data_keys SET key_encryption_key = '2026-03'")

    with pytest.raises(CannotOpen):
        await vault.released(ref, "shop", by=vault.held_by(BOTH))


def forms(secret: bytes) -> list[bytes]:
    """How a secret may stand in a row or a text."""
    return [secret, base64.b64encode(secret).rstrip(b"="), secret.hex().encode()]


SECRETS = [form for secret in (PASSWORD.encode(), THEIRS.encode(), OLD_KEY, NEW_KEY) for form in forms(secret)]


async def dumped(vault: Vault) -> bytes:
    """Every row of every table, bytes as they are."""
    found: list[bytes] = []
    for table in (*TENANT_TABLES, *SHARED_TABLES):
        for row in await vault.world.rows(f"SELECT * FROM headgate.{table}"):
            found += [value if isinstance(value, bytes) else str(value).encode() for value in row.values()]
    return b"\n".join(found)


async def test_no_value_and_no_key_is_in_any_row_log_or_error(
    vault: Vault, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    acme = vault.world.ids["acme"]
    ref = await vault.given_attempt("shop", "gone")
    found = await vault.credentials.release(ref, ["shop"], "pod-1")
    assert found["shop"].by_key == {"password": PASSWORD}
    told = [repr(found), repr(vault.credentials.__dict__), repr(await vault.credentials.list(acme)), repr(vault.keys)]
    await vault.credentials.rotate_data_key(acme)
    await vault.held_by(BOTH).rewrap()
    values = Values({"password": PASSWORD})
    failing = (
        vault.credentials.put(acme, "shop", "login", values, by="alice", expected=7),
        vault.credentials.put(uuid4(), "shop", "login", values, by="alice"),
        vault.released(ref, "bank"),
        vault.released(ref, "gone", by=vault.held_by(NEW)),
        vault.released(ref, "shop", holder="pod-2"),
    )
    expected = (CredentialConflict, StatementRefused, CredentialRefused, CredentialMissing, LeaseLost)
    for attempt, error in zip(failing, expected, strict=True):
        with pytest.raises(error) as refused:
            await attempt
        told.append(f"{refused.value!r} {refused.value.__cause__!r} {refused.value.__context__!r}")
    await changed(vault, "UPDATE headgate.credentials SET version = 9")
    with pytest.raises(CannotOpen) as unreadable:
        await vault.released(ref, "shop", by=vault.held_by(NEW))
    told.append(f"{unreadable.value!r} {unreadable.value.__cause__!r} {unreadable.value.__context__!r}")

    rows, texts = await dumped(vault), "\n".join([*told, *capsys.readouterr(), caplog.text]).encode()

    assert b"shop" in rows
    assert b"credential_unreadable" in texts
    assert not [secret for secret in SECRETS if secret in rows]
    assert not [secret for secret in SECRETS if secret in texts]
