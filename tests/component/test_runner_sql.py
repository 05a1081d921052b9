"""``sql`` nodes against a real Postgres."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from headgate.api.builtin import Sql
from headgate.runner import sql
from headgate.runner.errors import NodeFailed
from tests.support.databases import TestDatabase
from tests.unit.runner.tasks import a_task, an_executor, secrets

CONNECTION = {"name": "db", "key": "k"}


def node(query: str, **members: Any) -> Sql:
    parameters = [{"name": name, "value": value} for name, value in members.pop("parameters", {}).items()]
    return Sql.model_validate({"connection": CONNECTION, "query": query, "parameters": parameters, **members})


@pytest.fixture
def url(empty: TestDatabase) -> str:
    return empty.superuser_url


async def run(url: str, query: str, seconds: float = 10.0, **members: Any) -> Any:
    return await sql.execute(node(query, **members), secrets(db=url + "\n"), seconds)


async def test_rows_come_as_maps_of_values_that_json_can_hold(url: str) -> None:
    output = await run(
        url,
        """SELECT 7 AS a, 1.5::float8 AS b, 2.50::numeric AS c, 9::numeric AS d, 'NaN'::float8 AS e, NULL AS f,
            '2026-03-10T12:00:00Z'::timestamptz AT TIME ZONE 'UTC' AS g, ARRAY[1, 2] AS h, '{"x": [true]}'::jsonb AS i,
            '\\x0102'::bytea AS j, '10.0.0.1'::inet AS k, interval '90 seconds' AS l""",
    )

    assert json.loads(json.dumps(output)) == {
        "rowCount": 1,
        "rows": [
            {
                "a": 7,
                "b": 1.5,
                "c": "2.50",
                "d": 9,
                "e": "nan",
                "f": None,
                "g": "2026-03-10T12:00:00",
                "h": [1, 2],
                "i": {"x": [True]},
                "j": "AQI=",
                "k": "10.0.0.1",
                "l": 90.0,
            }
        ],
    }


async def test_parameters_are_bound_and_never_become_part_of_the_statement(url: str) -> None:
    evil = "'; DROP TABLE t; --"

    output = await run(url, "SELECT %(name)s AS name, length(%(name)s) AS n", parameters={"name": evil})

    assert output["rows"] == [{"name": evil, "n": len(evil)}]


async def test_without_parameters_nothing_is_replaced(url: str) -> None:
    assert (await run(url, "SELECT 'a%' AS x"))["rows"] == [{"x": "a%"}]


async def test_what_a_statement_changes_is_counted_and_kept(url: str) -> None:
    await run(url, "CREATE TABLE t (n int)")

    assert await run(url, "INSERT INTO t SELECT generate_series(1, 5)") == {"rowCount": 5, "rows": []}
    assert (await run(url, "SELECT count(*) AS n FROM t"))["rows"] == [{"n": 5}]


async def test_only_so_many_rows_are_kept(url: str) -> None:
    output = await run(url, "SELECT generate_series(1, 50) AS n", max_rows=2)

    assert output == {"rowCount": 50, "rows": [{"n": 1}, {"n": 2}]}


@pytest.mark.parametrize("parameters", [{}, {"n": "1"}])
async def test_several_statements_are_refused(url: str, parameters: dict[str, str]) -> None:
    text = "SELECT %(n)s; SELECT 2" if parameters else "SELECT 1; SELECT 2"
    with pytest.raises(NodeFailed, match="multiple commands") as failure:
        await run(url, text, parameters=parameters)
    assert failure.value.reason == "SqlError"


async def test_a_read_only_node_changes_nothing(url: str) -> None:
    with pytest.raises(NodeFailed, match="25006: cannot execute CREATE TABLE in a read-only transaction"):
        await run(url, "CREATE TABLE t (n int)", read_only=True)
    with pytest.raises(NodeFailed):
        await run(url, "COMMIT; CREATE TABLE t (n int)", read_only=True)
    assert (await run(url, "SELECT to_regclass('t') AS t", read_only=True))["rows"] == [{"t": None}]


async def test_a_statement_that_takes_too_long_is_stopped_by_the_server(url: str) -> None:
    with pytest.raises(NodeFailed) as failure:
        await run(url, "SELECT pg_sleep(60)", seconds=0.3)
    assert failure.value.reason == "Timeout"

    with psycopg.connect(url) as connection:
        going = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'headgate-runner' AND state = 'active'"
        ).fetchone()
    assert going == (0,)


async def test_a_mistake_in_the_statement_is_told_with_its_code(url: str) -> None:
    with pytest.raises(NodeFailed, match='42P01: relation "absent" does not exist'):
        await run(url, "SELECT * FROM absent")


async def test_a_connection_string_that_cannot_be_read_is_not_quoted() -> None:
    with pytest.raises(NodeFailed) as failure:
        await run("host=a hunter22 and more", "SELECT 1")
    assert (failure.value.reason, "hunter22" in failure.value.message) == ("SqlConnection", False)


async def test_a_refused_login_names_neither_user_nor_password(url: str) -> None:
    wrong = "postgresql://nobody-here:hunter22@127.0.0.1:1/secret_name"

    result = await an_executor(db=wrong).execute(
        a_task({"sql": {"connection": CONNECTION, "query": "SELECT 1"}}, timeout=10)
    )

    assert result.reason == "SqlConnection"
    assert not [word for word in ("nobody-here", "hunter22", "secret_name") if word in result.message]


async def test_a_password_that_comes_back_from_the_database_is_taken_out(url: str) -> None:
    password = psycopg.conninfo.conninfo_to_dict(url)["password"]

    result = await an_executor(db=url).execute(
        a_task({"sql": {"connection": CONNECTION, "query": f"SELECT '{password}' AS x"}})
    )

    assert result.output == {"rowCount": 1, "rows": [{"x": "[redacted]"}]}
