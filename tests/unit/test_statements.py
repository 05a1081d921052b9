"""What holds for all statements, whoever writes the next one."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest
from psycopg._queries import MAX_CACHED_STATEMENT_LENGTH

from headgate import store

HISTORY = re.compile(
    r"headgate\.(workflow_executions|workflow_execution_steps|execution_labels|ended_labels|execution_triggers)\b"
)
MODULES = [
    name
    for _, name, is_package in pkgutil.walk_packages(store.__path__, "headgate.store.")
    if not is_package and ".migrations." not in name
]


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


@pytest.mark.parametrize("module", MODULES)
def test_every_statement_is_short_enough_for_psycopg_to_keep_what_it_read(module: str) -> None:
    constants = vars(importlib.import_module(module))
    statements = {name: text for name, text in constants.items() if isinstance(text, str) and name.isupper()}
    assert [name for name, text in statements.items() if len(text) > MAX_CACHED_STATEMENT_LENGTH] == []
