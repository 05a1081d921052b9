"""A kill before and after every write of a copy: what is there in the end is always the same."""

from __future__ import annotations

import psycopg

from headgate.runner.copying.from_postgres import PostgresRows
from headgate.runner.copying.to_postgres import PostgresTable
from tests.component.copies import Fuse, KeptMark, a_copy, copied_until_killed, table
from tests.support.databases import TestDatabase


async def test_a_kill_before_or_after_any_write_changes_nothing_in_the_end(empty: TestDatabase) -> None:
    empty.do(
        "CREATE TABLE log AS SELECT n, n % 4 AS id FROM generate_series(1, 10) n;"
        " CREATE TABLE copy (id int PRIMARY KEY, n int)"
    )
    sync = a_copy(table("log", cursor=["n"]), table("copy", key=["id"]))
    into = sync.target.postgres
    assert sync.source.postgres is not None
    assert into is not None
    async with await psycopg.AsyncConnection.connect(empty.superuser_url, autocommit=True) as connection:
        source = PostgresRows(sync.source.postgres, connection)

        async def tell(fuse: Fuse) -> tuple[list[tuple[object, ...]], int]:
            await connection.execute("TRUNCATE copy")
            cursor = KeptMark()
            target = PostgresTable(into, connection)
            await copied_until_killed(source, target, cursor, fuse, 3)
            return empty.rows("SELECT id, n FROM copy ORDER BY id"), cursor.records

        whole = Fuse()
        expected = await tell(whole)
        assert (expected, whole.writes) == (([(0, 8), (1, 9), (2, 10), (3, 7)], 10), 8)
        for after in (False, True):
            for number in range(1, whole.writes + 1):
                found = await tell(Fuse(at=number, after=after))
                assert found == expected, f"killed {'after' if after else 'before'} write {number} of {whole.writes}"
