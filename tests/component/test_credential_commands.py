"""The commands about credentials, as whoever runs Headgate types them."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from headgate.cli.main import app
from tests.component.vault import NEW, NEW_KEY, OLD_KEY, PASSWORD, Vault
from tests.component.world import World

OLD_LINE = f"2026-01: {base64.b64encode(OLD_KEY).decode()}"
NEW_LINE = f"2026-03: {base64.b64encode(NEW_KEY).decode()}"


@pytest.fixture
def vault(world: World) -> Vault:
    return Vault(world)


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    exit_code: int
    output: str


async def headgate(vault: Vault, *words: str, keys: str = OLD_LINE, given: str = "") -> Said:
    """What a command says, which has a loop of its own."""
    environment = {"HEADGATE_DATABASE_URL": vault.world.url, "HEADGATE_KEY_ENCRYPTION_KEYS": keys}
    result = await asyncio.to_thread(lambda: CliRunner().invoke(app, words, given, environment))
    return Said(result.exit_code, result.output)


async def test_a_credential_is_put_listed_and_deleted(vault: Vault) -> None:
    values = json.dumps({"password": PASSWORD})
    put = await headgate(vault, "put-credential", "shop", "--workspace", "acme", "--kind", "login", given=values)
    assert (put.exit_code, put.output) == (0, "credential shop is at version 1\n")

    listed = await headgate(vault, "credentials", "--workspace", "acme")
    assert listed.output.split()[5:8] == ["shop", "login", "1"]
    assert PASSWORD not in listed.output
    ref = await vault.given_attempt("shop")
    assert await vault.released(ref, "shop") == {"shop": {"password": PASSWORD}}

    shown = await headgate(vault, "credential-releases", "shop", "--workspace", "acme")
    assert shown.output.split()[6:] == ["2026-03-10T12:00:00Z", "1", str(ref.run_id), "work", "1", "pod-1"]

    deleted = await headgate(vault, "delete-credential", "shop", "--workspace", "acme", "--version", "1")
    assert deleted.output == "credential shop is deleted\n"
    again = await headgate(vault, "delete-credential", "shop", "--workspace", "acme")
    assert (again.exit_code, again.output) == (1, "headgate: workspace acme has no credential shop\n")


@pytest.mark.parametrize(
    ("words", "keys", "given", "problem"),
    [
        (("put-credential", "shop", "--workspace", "acme"), OLD_LINE, f"[{PASSWORD}]", "the values are not JSON"),
        (("put-credential", "shop", "--workspace", "acme"), OLD_LINE, "[]", "the values are no JSON object"),
        (("put-credential", "shop", "--workspace", "acme", "--version", "3"), OLD_LINE, "", "does not exist, and"),
        (("put-credential", "Shop", "--workspace", "acme"), OLD_LINE, "", "a credential's name has"),
        (("put-credential", "shop", "--workspace", "nobody"), OLD_LINE, "", "there is no workspace nobody"),
        (("put-credential", "shop", "--workspace", "acme"), "", "", "no key-encryption keys are configured"),
        (("rotate-keys",), "one", "", "line 1 of the key-encryption keys: write"),
        (("rotate-keys",), "", "", "no key-encryption keys are configured"),
        (("rotate-keys", "--workspace", "acme"), OLD_LINE, "", "--workspace goes with --data-keys"),
    ],
)
async def test_what_is_wrong_is_told_without_a_value(
    vault: Vault, words: tuple[str, ...], keys: str, given: str, problem: str
) -> None:
    result = await headgate(vault, *words, keys=keys, given=given or json.dumps({"password": PASSWORD}))

    assert result.exit_code in (1, 2)
    assert problem in " ".join(result.output.replace("\u2502", " ").split())
    assert PASSWORD not in result.output


async def test_both_kinds_of_keys_are_rotated(vault: Vault) -> None:
    await vault.world.given_workspace("other")
    await vault.put("shop")
    await vault.put("shop", workspace="other")
    ref = await vault.given_attempt("shop")
    both = f"{NEW_LINE}\n{OLD_LINE}"

    rewrapped = await headgate(vault, "rotate-keys", keys=both)
    assert (rewrapped.exit_code, rewrapped.output) == (
        0,
        "2 data keys were wrapped by the current key-encryption key\n",
    )
    one = await headgate(vault, "rotate-keys", "--data-keys", "--workspace", "acme", keys=NEW_LINE)
    assert one.output == "1 credentials of 1 workspaces are sealed under new data keys\n"
    every = await headgate(vault, "rotate-keys", "--data-keys", keys=NEW_LINE)
    assert every.output == "2 credentials of 2 workspaces are sealed under new data keys\n"

    assert await vault.released(ref, "shop", by=vault.held_by(NEW)) == {"shop": {"password": PASSWORD}}


async def test_what_cannot_be_read_ends_a_rotation_badly(vault: Vault) -> None:
    await vault.put("shop")
    await vault.world.rows("UPDATE headgate.credentials SET version = 9 RETURNING 1")

    resealed = await headgate(vault, "rotate-keys", "--data-keys")
    assert (resealed.exit_code, "these cannot be decrypted: shop" in resealed.output) == (1, True)
    rewrapped = await headgate(vault, "rotate-keys", keys=NEW_LINE)
    assert (rewrapped.exit_code, str(vault.world.ids["acme"]) in rewrapped.output) == (1, True)
