"""The columns of archived tables: as they are selected, and what files hold of them.

They are taken from the tables, so that a column that is added is archived too.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ARRAY, Boolean, Column, DateTime, Integer, Table

from headgate.domain.archive import ARTIFACTS, AUDIT, RUNS, STEPS, Form
from headgate.store.tables import audit_log, execution_steps, executions, run_artifacts


def _form(column: Column[object]) -> Form:
    match column.type:
        case DateTime():
            return Form.TIME
        case Integer():
            return Form.INTEGER
        case Boolean():
            return Form.BOOLEAN
        case _:
            return Form.TEXT


def _forms(table: Table) -> Mapping[str, Form]:
    return {column.name: _form(column) for column in table.columns if column.computed is None}


_TABLES = {RUNS: executions, STEPS: execution_steps, ARTIFACTS: run_artifacts, AUDIT: audit_log}
FORMS: Mapping[str, Mapping[str, Form]] = {kind: _forms(table) for kind, table in _TABLES.items()}
"""The columns of each kind of file, in the order in which ``selected`` gives them."""


def selected(kind: str, alias: str, **instead: str) -> str:
    """A list for SELECT that gives the columns as files have them: times in microseconds, arrays as JSON.

    ``instead`` are expressions that are taken for columns of these names.
    """
    columns = _TABLES[kind].columns
    return ", ".join(
        _value(instead.get(name, f"{alias}.{name}"), columns[name], form) for name, form in FORMS[kind].items()
    )


def _value(value: str, column: Column[object], form: Form) -> str:
    if isinstance(column.type, ARRAY):
        value = f"to_json({value})"
    match form:
        case Form.TIME:
            return f"CAST(extract(epoch FROM {value}) * 1000000 AS bigint) AS {column.name}"
        case Form.TEXT:
            return f"CAST({value} AS text) AS {column.name}"
        case _:
            return f"{value} AS {column.name}"
