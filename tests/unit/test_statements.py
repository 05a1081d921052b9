"""What holds for all statements, whoever writes the next one."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest
from psycopg._queries import MAX_CACHED_STATEMENT_LENGTH

from headgate import store
from headgate.store.joint import Joint

HISTORY = re.compile(
    r"headgate\.(workflow_executions|workflow_execution_steps|execution_labels|ended_labels|execution_triggers|run_artifacts)\b"
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
        for text in texts(value)
        if HISTORY.search(text) and "workspace_id" not in text
    ]


def texts(value: object) -> tuple[str, ...]:
    """What there is of statements in a constant."""
    match value:
        case str():
            return (value,)
        case Joint():
            return (value.alone, value.together)
        case _:
            return ()


@pytest.mark.parametrize("module", MODULES)
def test_no_form_for_several_takes_a_workspace_from_each(module: str) -> None:
    joints = {name: value for name, value in vars(importlib.import_module(module)).items() if isinstance(value, Joint)}
    assert [name for name, joint in joints.items() if "a.workspace_id" in joint.together] == []


@pytest.mark.parametrize("module", MODULES)
def test_every_statement_about_the_history_names_the_workspace(module: str) -> None:
    assert without_the_workspace(vars(importlib.import_module(module))) == []


def test_a_form_for_several_that_does_not_is_found() -> None:
    joint = Joint(0, "SELECT 1", "SELECT id FROM headgate.workflow_executions")
    assert without_the_workspace({"_ALL": joint}) == ["_ALL"]


def test_a_statement_that_does_not_is_found() -> None:
    assert without_the_workspace({"_ALL": "SELECT id FROM headgate.workflow_executions WHERE id = %(id)s"}) == ["_ALL"]


@pytest.mark.parametrize("module", MODULES)
def test_every_statement_is_short_enough_for_psycopg_to_keep_what_it_read(module: str) -> None:
    constants = vars(importlib.import_module(module))
    statements = [(name, text) for name, value in constants.items() if name.isupper() for text in texts(value)]
    assert [name for name, text in statements if len(text) > MAX_CACHED_STATEMENT_LENGTH] == []
