"""What holds for all statements about the history, whoever writes the next one."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

from headgate import store

HISTORY = re.compile(
    r"headgate\.(workflow_executions|workflow_execution_steps|execution_labels|ended_labels|execution_triggers)\b"
)
MODULES = [name for _, name, is_package in pkgutil.iter_modules(store.__path__, "headgate.store.") if not is_package]


def without_the_workspace(constants: dict[str, object]) -> list[str]:
    """Names of the statements about the history in which no workspace appears."""
    return [
        name
        for name, value in constants.items()
        if isinstance(value, str) and HISTORY.search(value) and "workspace_id" not in value
    ]


@pytest.mark.parametrize("module", MODULES)
def test_every_statement_about_the_history_names_the_workspace(module: str) -> None:
    assert without_the_workspace(vars(importlib.import_module(module))) == []


def test_a_statement_that_does_not_is_found() -> None:
    assert without_the_workspace({"_ALL": "SELECT id FROM headgate.workflow_executions WHERE id = %(id)s"}) == ["_ALL"]
