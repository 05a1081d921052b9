"""What kubectl is told of words that may come next."""

from __future__ import annotations

import os
import sys

import pytest

from headgate.cli.entry import kubectl_complete


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ})


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[list[str], str]:
    """The words that may come next, and what to do about files."""
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-headgate", *words])
    kubectl_complete()
    *lines, files = capsys.readouterr().out.splitlines()
    return [line.partition("\t")[0] for line in lines], files


def test_half_a_command_is_completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(monkeypatch, capsys, "rec") == (["recommendations"], ":4")


def test_behind_a_group_come_its_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(monkeypatch, capsys, "key", "") == (["create", "list", "revoke"], ":4")


def test_options_are_completed_behind_words_of_any_form(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(monkeypatch, capsys, "run", "it's; a `name`", "--inp") == (["--input", "--inputs"], ":4")


def test_where_nothing_is_known_the_shell_may_offer_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(monkeypatch, capsys, "run", "--debug-file", "") == ([], ":0")


def test_without_a_word_the_commands_of_tenants_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands, _ = told(monkeypatch, capsys, "")

    assert {"run", "logs", "approve"} <= set(commands)
    assert "operator" not in commands
