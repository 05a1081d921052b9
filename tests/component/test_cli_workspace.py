"""Logging in, and what a workspace has, by the command line."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from headgate.api.members import Role
from headgate.domain.api_keys import Scope
from tests.component.api_client import Api
from tests.component.commands import Said, Shell
from tests.component.counted import stopped_clock
from tests.component.streaming import serving
from tests.component.webhook_client import Sender, hooked
from tests.component.world import World, one_node

SECRET = "correct horse battery staple"


@pytest.fixture
async def shell(api: Api, tmp_path: Path) -> AsyncIterator[Shell]:
    async with serving(api) as url:
        yield Shell(url, (await api.issue()).text, tmp_path)


def config(shell: Shell) -> Path:
    return shell.home / "headgate" / "config.yaml"


class TestLogin:
    async def test_what_the_server_took_is_kept_for_nobody_else_and_is_enough(
        self, world: World, api: Api, shell: Shell
    ) -> None:
        await world.given(one_node())
        bare = Shell("", "", shell.home, "")

        said = await bare("login", "--server", shell.url, given=f"{shell.token}\n")

        assert said.code == 0, said.err
        assert "is owner of acme" in said.out
        assert shell.token not in said.out + said.err
        assert stat.S_IMODE(config(shell).stat().st_mode) == 0o600
        assert (await bare("workflows", "-o", "name")).out == "nightly\n"
        listed = await bare("context", "list")
        assert listed.out.splitlines()[1].split() == ["*", "default", shell.url, "acme"]
        assert (await bare("context", "delete", "default")).code == 0
        assert (await bare("workflows")).code == 2

    async def test_what_it_refuses_is_not_kept(self, shell: Shell) -> None:
        said = await shell("login", given="hg_nonsense\n")

        assert (said.code, said.out) == (1, "")
        assert "hg_nonsense" not in said.err
        assert not config(shell).exists()

    async def test_several_are_kept_side_by_side(self, api: Api, shell: Shell) -> None:
        viewer = (await api.issue(role=Role.VIEWER)).text
        await shell("login", given=shell.token)
        await shell("login", "--context", "look", given=viewer)

        bare = Shell("", "", shell.home, "")
        assert (await bare("key", "list")).code == 1
        assert (await bare("key", "list", "--context", "default")).code == 0
        assert (await bare("context", "use", "default")).code == 0
        assert (await bare("key", "list")).code == 0
        assert set(yaml.safe_load(config(shell).read_text())["contexts"]) == {"default", "look"}

    async def test_a_token_is_no_argument(self, shell: Shell) -> None:
        assert (await shell("login", "--token", "x")).code == 2


class TestKeys:
    async def test_one_is_made_shown_once_listed_and_revoked(self, api: Api, shell: Shell) -> None:
        words = ("key", "create", "nightly build", "--role", "editor", "--scope", "runs:read", "--expires", "90d")
        made = await shell(*words)
        [key] = made.out.split()
        assert (await api.call("GET", "/runs", token=key)).status_code == 200

        listed = await shell("key", "list", "-o", "json")
        [identity] = [item["id"] for item in json.loads(listed.out)["items"] if item["name"] == "nightly build"]
        assert key not in listed.out + made.err

        assert (await shell("key", "revoke", identity)).code == 0
        assert "is revoked" in (await shell("key", "revoke", identity)).out

    async def test_one_may_have_any_scope_that_there_is(self, shell: Shell) -> None:
        scopes = [word for scope in Scope for word in ("--scope", scope.value)]

        made = await shell("key", "create", "all of them", "--role", "owner", *scopes, "-o", "json")

        assert json.loads(made.out)["scopes"] == sorted(Scope)

    async def test_none_is_made_of_which_only_the_id_would_be_seen(self, shell: Shell) -> None:
        made = await shell("key", "create", "lost", "--role", "viewer", "-o", "name")
        listed = await shell("key", "list", "-o", "json")

        assert (made.code, made.out) == (2, "")
        assert "-o json" in made.err
        assert "lost" not in [item["name"] for item in json.loads(listed.out)["items"]]


class TestCredentials:
    async def test_one_is_put_listed_sealed_anew_and_deleted(self, shell: Shell, tmp_path: Path) -> None:
        file = tmp_path / "password"
        file.write_text(SECRET)
        put = await shell("credential", "put", "shop", "--kind", "login", given=json.dumps({"password": SECRET}))
        again = await shell("credential", "put", "shop", "--version", "1", "--from-file", f"password={file}")
        stale = await shell("credential", "put", "shop", "--version", "1", "--from-file", f"password={file}")
        listed = await shell("credential", "list", "-o", "wide")
        sealed = await shell("credential", "rotate")
        deleted = await shell("credential", "delete", "shop")

        assert [said.code for said in (put, again, stale, listed, sealed, deleted)] == [0, 0, 1, 0, 0, 0]
        assert listed.out.split()[5:8] == ["shop", "opaque", "2"]
        assert sealed.out.startswith("1 credentials")
        for said in (put, again, stale, listed, sealed, deleted):
            assert SECRET not in said.out + said.err

    @pytest.mark.parametrize("values", [SECRET, f'["{SECRET}"]', f'{{"{SECRET}": 1}}', f'{{"": "{SECRET}"}}'])
    async def test_values_of_another_form_are_refused_and_not_repeated(self, shell: Shell, values: str) -> None:
        said: Said = await shell("credential", "put", "shop", given=values)

        assert said.code == 2
        assert said.err.startswith("headgate: ")
        assert SECRET not in said.out + said.err


async def test_usage_tells_limits(world: World, shell: Shell) -> None:
    await world.given(one_node())
    await world.admit()

    said = await shell("usage")

    assert said.out.startswith("1 runs are running, 0 wait\n")
    assert "maxConcurrentRuns" in said.out
    assert json.loads((await shell("usage", "-o", "json")).out)["runningRuns"] == 1


async def test_workspaces_are_those_of_the_caller(shell: Shell) -> None:
    assert (await shell("workspaces", "-o", "name")).out == "acme\n"


async def test_deliveries_are_listed_and_made_again(world: World, api: Api, shell: Shell) -> None:
    sender = Sender(api)
    await sender.given_secret()
    await world.given(hooked())
    await sender.accepted()

    assert (await shell("webhook", "list", "-o", "name")).out == "orders\n"
    [delivery] = (await shell("webhook", "deliveries", "--hook", "orders", "-o", "name")).out.split()
    world.clock.advance(milliseconds=1)
    again = await shell("webhook", "redeliver", delivery)

    assert (again.code, again.err) == (0, "")
    assert len((await shell("list", "-o", "name")).out.split()) == 2


async def test_a_delivery_that_started_nothing_says_why(world: World, api: Api, shell: Shell) -> None:
    sender = Sender(api)
    await sender.given_secret()
    await world.given(hooked(events=["order.lost"]))
    await sender.send()
    await sender.send("msg-2", raw=b"no JSON")

    listed = (await shell("webhook", "deliveries")).out

    assert "nightly/paid: OtherEvent: the type of the event is none of the trigger's events" in listed
    assert "InvalidBody: the body is not JSON in UTF-8" in listed


async def test_calls_that_are_used_up_for_the_hour_are_a_no_that_says_until_when(
    world: World, api: Api, shell: Shell
) -> None:
    await world.given_workspace("other", max_api_calls_per_hour=1)
    asked = Shell(shell.url, (await api.issue("other")).text, shell.home, "other")

    with stopped_clock(world.superuser_url):
        assert (await asked("list")).code == 0
        said = await asked("list")

    assert said.code == 1
    assert "try again in" in said.err
