"""Copies between real systems: what is new is copied, once, and as it was."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.domain.runner_protocol import Mark
from headgate.runner.errors import NodeFailed
from tests.component.copies import KeptMark, a_copy, copied, table
from tests.support.databases import TestDatabase
from tests.support.doubles import over_tcp
from tests.support.http_server import serving
from tests.unit.runner.tasks import secrets

SOURCE = """
    CREATE SCHEMA shop;
    CREATE TABLE shop.orders (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, updated_at timestamptz NOT NULL, amount numeric,
        raw bytea, tags text[], doc jsonb, took interval, share float8,
        doubled numeric GENERATED ALWAYS AS (amount * 2) STORED
    );
    CREATE TABLE copy (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, updated_at timestamptz, amount numeric, raw bytea,
        tags text[], doc jsonb, took interval, share float8, note text DEFAULT 'none'
    );
"""
ROWS = """
    INSERT INTO shop.orders (updated_at, amount, raw, tags, doc, took, share)
    SELECT '2026-03-10T12:00:00.123456Z'::timestamptz + n * interval '1 s', 12345678901234567890.123456789 + n,
        decode('00ff', 'hex'), ARRAY['a', 'b "c"'], '{"x": [1, null]}', interval '1 day 2 s', 'NaN'
    FROM generate_series(1, %s) n RETURNING 1
"""
SAME = """
    SELECT count(*) FROM shop.orders o JOIN copy c USING (id)
    WHERE (o.updated_at, o.amount, o.raw, o.tags, o.doc, o.took, o.share, 'none')
        = (c.updated_at, c.amount, c.raw, c.tags, c.doc, c.took, c.share, c.note)
"""
ORDERS = table("shop.orders", cursor=["updated_at", "id"])
COPY = table("copy", key=["id"])


@pytest.fixture
async def url(empty: TestDatabase) -> AsyncIterator[str]:
    async with over_tcp(empty.superuser_url) as url:
        yield url


async def test_all_rows_are_copied_as_they_are_and_then_those_that_changed(empty: TestDatabase, url: str) -> None:
    empty.do(SOURCE)
    empty.rows(ROWS, 25)
    cursor, sync = KeptMark(), a_copy(ORDERS, COPY, batch=10)

    assert await copied(sync, secrets(db=url), cursor) == {"batches": 3, "records": 25, "more": False}
    assert empty.rows(SAME) == [(25,)]

    empty.rows("UPDATE shop.orders SET amount = 1, updated_at = updated_at + interval '1 h' WHERE id = 3 RETURNING 1")
    assert await copied(sync, secrets(db=url), cursor) == {"batches": 1, "records": 1, "more": False}
    assert empty.rows(SAME) == [(25,)]
    assert await copied(sync, secrets(db=url), cursor) == {"batches": 0, "records": 0, "more": False}
    assert cursor.records == 26


async def test_one_run_copies_so_many_batches_and_the_next_goes_on(empty: TestDatabase, url: str) -> None:
    empty.do(SOURCE)
    empty.rows(ROWS, 25)
    cursor, sync = KeptMark(), a_copy(ORDERS, COPY, batch=10, maxBatches=2)

    assert await copied(sync, secrets(db=url), cursor) == {"batches": 2, "records": 20, "more": True}
    assert await copied(sync, secrets(db=url), cursor) == {"batches": 1, "records": 5, "more": False}


async def test_only_the_named_columns_are_copied(empty: TestDatabase, url: str) -> None:
    empty.do(SOURCE)
    empty.rows(ROWS, 2)
    source = table("shop.orders", cursor=["updated_at", "id"], columns=["id", "amount"])

    await copied(a_copy(source, COPY), secrets(db=url), KeptMark())

    assert empty.rows("SELECT count(*), count(amount), count(raw) FROM copy") == [(2, 2, 0)]


@pytest.mark.parametrize("columns", [[], ["t", "r"]])
async def test_columns_may_have_the_names_that_the_statement_uses_itself(
    empty: TestDatabase, url: str, columns: list[str]
) -> None:
    empty.do("CREATE TABLE log (t int, r text); CREATE TABLE copy (t int PRIMARY KEY, r text)")
    empty.do("INSERT INTO log VALUES (1, 'one'), (2, 'two')")
    source = table("log", cursor=["t"], columns=columns)

    await copied(a_copy(source, table("copy", key=["t"])), secrets(db=url), KeptMark())

    assert empty.rows("SELECT t, r FROM copy ORDER BY t") == [(1, "one"), (2, "two")]


async def test_what_has_not_settled_waits(empty: TestDatabase, url: str) -> None:
    empty.do("CREATE TABLE old (id int PRIMARY KEY, at timestamptz); CREATE TABLE copy (id int PRIMARY KEY)")
    empty.rows("INSERT INTO old VALUES (1, now() - interval '1 h'), (2, now()) RETURNING 1")

    await copied(a_copy(table("old", cursor=["at"], settle="10m"), COPY), secrets(db=url), KeptMark())

    assert empty.rows("SELECT id FROM copy") == [(1,)]


async def test_a_row_whose_key_comes_twice_has_what_came_last(empty: TestDatabase, url: str) -> None:
    empty.do("CREATE TABLE log (n int, id int, v text); CREATE TABLE copy (id int PRIMARY KEY, v text)")
    empty.rows("INSERT INTO log VALUES (1, 7, 'a'), (2, 7, 'b') RETURNING 1")

    await copied(a_copy(table("log", cursor=["n"]), COPY), secrets(db=url), KeptMark())

    assert empty.rows("SELECT id, v FROM copy") == [(7, "b")]


@pytest.mark.parametrize(
    ("source", "target", "reason", "says"),
    [
        (table("absent", cursor=["id"]), COPY, "SqlError", 'relation "absent" does not exist'),
        (ORDERS, table("absent", key=["id"]), "SqlError", "the table absent is not there, or has no column id"),
        (ORDERS, table("copy", key=["amount"]), "SqlError", "no unique or exclusion constraint"),
        (ORDERS, table("copy", key=["note"]), "InvalidRecord", "a record has no note, which is in the target's key"),
    ],
)
async def test_what_has_to_be_changed_is_told(
    empty: TestDatabase, url: str, source: dict[str, Any], target: dict[str, Any], reason: str, says: str
) -> None:
    empty.do(SOURCE)
    empty.rows(ROWS, 1)
    cursor = KeptMark()

    with pytest.raises(NodeFailed, match=says) as failure:
        await copied(a_copy(source, target), secrets(db=url), cursor)

    assert (failure.value.reason, cursor.mark) == (reason, Mark())


async def test_a_source_is_only_read(empty: TestDatabase, url: str) -> None:
    empty.do("CREATE TABLE log (n int); CREATE TABLE copy (n int PRIMARY KEY)")
    empty.do(
        "CREATE FUNCTION meddle() RETURNS SETOF log LANGUAGE sql AS 'INSERT INTO log VALUES (1) RETURNING *';"
        " CREATE VIEW trap AS SELECT * FROM meddle()",
    )

    with pytest.raises(NodeFailed, match="read-only transaction"):
        await copied(a_copy(table("trap", cursor=["n"]), table("copy", key=["n"])), secrets(db=url), KeptMark())


async def test_a_cursor_that_would_hold_a_secret_is_refused(empty: TestDatabase, url: str) -> None:
    empty.do("CREATE TABLE log (n text); CREATE TABLE copy (n text PRIMARY KEY)")
    empty.rows("INSERT INTO log VALUES ('hunter22') RETURNING 1")
    cursor, given = KeptMark(), secrets(db=url, other="hunter22")

    with pytest.raises(NodeFailed, match="would hold the value of a secret"):
        await copied(a_copy(table("log", cursor=["n"]), table("copy", key=["n"])), given, cursor)

    assert cursor.mark == Mark()


async def test_items_of_an_api_are_copied_page_by_page(empty: TestDatabase, url: str) -> None:
    empty.do("CREATE TABLE copy (id int PRIMARY KEY, name text)")
    pages: dict[str, list[dict[str, Any]]] = {
        "/v1/orders?limit=2": [{"id": 1, "name": "a"}, {"id": 2, "name": "b", "more": {}}],
        "/v1/orders?after=2&limit=2": [{"id": 2, "name": "b"}, {"id": 3, "name": "c"}],
        "/v1/orders?after=3&limit=2": [],
    }
    with serving() as server:
        for path, items in pages.items():
            server.answers[path] = (200, {}, json.dumps({"data": {"items": items}}).encode())
        members = {"items": "data.items", "cursor": "id", "parameter": "after", "limitParameter": "limit"}
        source = {"http": {"url": server.url("/v1/orders"), **members}}

        output = await copied(a_copy(source, COPY, batch=2), secrets(db=url), KeptMark())

    assert output == {"batches": 2, "records": 3, "more": False}
    assert empty.rows("SELECT * FROM copy ORDER BY id") == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"no", "is no JSON"),
        (b"{}", "there is no list of objects at data of the answer"),
        (b'{"data": [{"id": 1.5}]}', "no text or whole number as id"),
    ],
)
async def test_an_api_that_answers_otherwise_is_told_of(empty: TestDatabase, url: str, body: bytes, says: str) -> None:
    empty.do("CREATE TABLE copy (id int PRIMARY KEY)")
    with serving() as server:
        server.answers["/"] = (200, {}, body)
        source = {"http": {"url": server.url("/"), "items": "data", "cursor": "id", "parameter": "after"}}

        with pytest.raises(NodeFailed, match=says):
            await copied(a_copy(source, COPY), secrets(db=url), KeptMark())
