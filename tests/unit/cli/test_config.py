"""Whom a command speaks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.cli.config import (
    Config,
    ConfigInvalid,
    Context,
    Given,
    checked_server,
    config_path,
    read_config,
    resolved,
    write_config,
)

HERE = Context("https://one.example", "hg_one", "acme")
CONFIG = Config({"one": HERE, "two": Context("https://two.example", "hg_two", "shop")}, "one")


def test_the_file_is_read_as_it_was_written_and_is_for_nobody_else(tmp_path: Path) -> None:
    path = config_path({"XDG_CONFIG_HOME": str(tmp_path)})
    write_config(path, CONFIG)

    assert read_config(path) == CONFIG
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["config.yaml"]


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    write_config(tmp_path / "config.yaml", CONFIG)
    (tmp_path / "config.yaml").chmod(0o640)

    with pytest.raises(ConfigInvalid, match="chmod 600"):
        read_config(tmp_path / "config.yaml")


@pytest.mark.parametrize("text", ["[", "[1]", "contexts: {a: 1}", "contexts: {a: {server: x}}", "hg_secret"])
def test_a_file_of_another_form_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(ConfigInvalid, match="headgate login") as told:
        read_config(path)
    assert "hg_secret" not in str(told.value)


def test_options_go_before_the_environment_and_that_before_the_file() -> None:
    environment = {"HEADGATE_WORKSPACE": "shop", "HEADGATE_TOKEN": "hg_env"}

    assert resolved(Given(), {}, CONFIG) == HERE
    assert resolved(Given(), environment, CONFIG) == Context("https://one.example", "hg_env", "shop")
    assert resolved(Given(workspace="x"), environment, CONFIG).workspace == "x"
    assert resolved(Given(context="two"), environment, CONFIG) == CONFIG.contexts["two"]


def test_a_token_of_the_file_goes_to_no_other_server() -> None:
    for given, environment in (
        (Given(server="https://other.example"), {}),
        (Given(), {"HEADGATE_SERVER": "http://one.example"}),
        (Given(context="one", server="https://two.example"), {}),
    ):
        with pytest.raises(ConfigInvalid, match="there is no token for"):
            resolved(given, environment, CONFIG)
    assert resolved(Given(server="https://one.example/"), {}, CONFIG).token == "hg_one"


@pytest.mark.parametrize("text", ["", "one.example", "ftp://x", "https://", "https://user:pw@x", "https://x/?a=b"])
def test_what_is_no_server_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="like https://"):
        checked_server(text)


@pytest.mark.parametrize("token", ["hg_a b", "hg_ü", "a\nb"])
def test_what_is_no_token_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(ConfigInvalid) as told:
        resolved(Given(), {"HEADGATE_TOKEN": token}, CONFIG)
    assert token not in str(told.value)


def test_a_context_does_not_print_its_token() -> None:
    assert "hg_" not in repr(CONFIG)
