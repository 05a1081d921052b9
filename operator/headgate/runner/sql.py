"""``sql`` nodes: one statement, with its parameters bound."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Protocol

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import tuple_row

from headgate.api.builtin import Parameter, Sql
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import REDACTED, Secrets

_CONNECT_SECONDS = 10
_EXACT = 2**53


class Statement(Protocol):
    """A statement with its values, and what of its answer is wanted."""

    @property
    def query(self) -> str:
        """The statement."""
        ...

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its values."""
        ...

    @property
    def max_rows(self) -> int:
        """Rows that are wanted at most."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether it may only read."""
        ...


async def execute(node: Sql, secrets: Secrets, timeout_seconds: float) -> Any:
    """The output of the node, ``{rowCount, rows}``. Raises ``NodeFailed``."""
    return await run(node, settings_of(connection_of(node, secrets)), timeout_seconds)


async def run(statement: Statement, settings: Mapping[str, Any], timeout_seconds: float) -> Any:
    """What the statement gives on a connection of its own, ``{rowCount, rows}``. Raises ``NodeFailed``."""
    connection = await connect(settings, read_only=statement.read_only)
    try:
        with failing():
            async with connection, connection.transaction():
                return await _run(statement, connection, timeout_seconds)
    finally:
        await connection.close()


@contextmanager
def failing() -> Iterator[None]:
    """Tells an error of the driver as ``NodeFailed``."""
    try:
        yield
    except psycopg.errors.QueryCanceled:
        raise NodeFailed("Timeout", "the statement took longer than the node's timeout") from None
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise NodeFailed("SqlError", f"{error.sqlstate or 'no state'}: {said}") from None


def connection_of(node: Sql, secrets: Secrets) -> str:
    """The connection string that the node names. Raises ``NodeFailed``."""
    ref = node.connection or node.credential
    if ref is None:
        raise NodeFailed("InvalidTask", "the node names neither a connection nor a credential")
    return secrets.value(ref)


def password_of(connection: str) -> str | None:
    """The password in a connection string, so that it can be kept out of what is said."""
    try:
        password = conninfo_to_dict(connection.strip()).get("password")
    except psycopg.Error:
        return None
    return None if password is None else str(password)


def settings_of(text: str) -> dict[str, Any]:
    """What a connection string says. Raises ``NodeFailed``, and does not show it."""
    try:
        return conninfo_to_dict(text.strip())
    except psycopg.Error:
        # The driver quotes what it could not read.
        raise NodeFailed("SqlConnection", "the Secret or credential holds no connection string of Postgres") from None


async def connect(settings: Mapping[str, Any], *, read_only: bool) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """A connection that commits each statement. Raises ``NodeFailed``, which tells nothing of the settings."""
    given = {"connect_timeout": _CONNECT_SECONDS, "application_name": "headgate-runner", **settings}
    try:
        connection = await psycopg.AsyncConnection.connect(
            make_conninfo(**given), row_factory=tuple_row, autocommit=True
        )
    except psycopg.Error as error:
        said = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        message = said[0].rpartition("failed: ")[2].strip()
        for name in ("password", "user", "host", "hostaddr", "dbname"):
            if value := str(settings.get(name) or ""):
                message = message.replace(value, REDACTED)
        raise NodeFailed("SqlConnection", f"no connection to the database: {message}") from None
    try:
        await connection.set_read_only(read_only or None)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _run(
    node: Statement, connection: psycopg.AsyncConnection[tuple[Any, ...]], timeout_seconds: float
) -> dict[str, Any]:
    milliseconds = str(max(1, math.ceil(timeout_seconds * 1000)))
    bound = {parameter.name: parameter.value for parameter in node.parameters}
    rows: list[dict[str, Any]] = []
    async with connection.cursor() as cursor:
        await cursor.execute("SELECT set_config('statement_timeout', %s, true)", (milliseconds,))
        # With parameters, and when it prepares, the server takes one statement and refuses several.
        await cursor.execute(node.query.encode(), bound or None, prepare=not bound)
        columns = [column.name for column in cursor.description or ()]
        if columns and node.max_rows:
            rows = [_row(columns, row) for row in await cursor.fetchmany(node.max_rows)]
        return {"rowCount": max(0, cursor.rowcount), "rows": rows}


def _row(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {column: json_safe(value) for column, value in zip(columns, row, strict=True)}


def json_safe(value: Any) -> Any:  # noqa: PLR0911 - one for each type
    """A value of a column as JSON. What JSON has no exact form for becomes text; bytes become base64."""
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            whole = value.is_finite() and value == value.to_integral_value() and abs(value) <= _EXACT
            return int(value) if whole else str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(bytes(value)).decode()
        case Mapping():
            return {str(key): json_safe(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [json_safe(item) for item in value]
        case _:
            return str(value)
