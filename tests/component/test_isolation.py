"""What keeps tenants apart in Postgres, even where the code above forgets to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from headgate.api.members import Role
from headgate.engine.api_keys import NewKey
from headgate.store.database import Database
from tests.component.ledger import SIGNING
from tests.component.tables import SHARED_TABLES, TENANT_TABLES
from tests.component.webhook_client import a_webhook
from tests.component.world import World, one_node
from tests.support.databases import TestDatabase


@contextmanager
def acting_as(url: str, role: str, workspace_id: UUID | None = None) -> Iterator[psycopg.Connection]:
    """A connection as a program that forgot to filter would have it."""
    with psycopg.connect(url) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        if workspace_id is not None:
            connection.execute("SELECT set_config('app.workspace_id', %s, false)", [str(workspace_id)])
        yield connection
        connection.rollback()


def rows_of(connection: psycopg.Connection, table: str) -> list[str]:
    """The workspaces whose rows of the table can be seen."""
    column = "id" if table == "workspaces" else "workspace_id"
    query = sql.SQL("SELECT DISTINCT {}::text FROM headgate.{}").format(sql.Identifier(column), sql.Identifier(table))
    return [row[0] for row in connection.execute(query)]


@pytest.fixture
async def two_tenants(world: World) -> World:
    """Two workspaces, each with rows in every table."""
    await world.given_workspace("other")
    for workspace in ("acme", "other"):
        await world.engine.api_keys.issue(world.ids[workspace], NewKey("ci", Role.VIEWER, "alice"))
        event = {"event": {"workflow": "other"}}
        triggered = one_node().with_schedule("hourly", "0 * * * *").with_trigger("end", event)
        await world.given(triggered.with_trigger("paid", a_webhook()), workspace)
        await world.admit(workspace=workspace, labels={"team": "shop"})
        await world.rows(
            "INSERT INTO headgate.run_endings SELECT %s, gen_random_uuid(), %s, 'nightly', 'Failed', now(), now(), 0,"
            " now() RETURNING 1",
            world.ids[workspace],
            workspace,
        )
        await world.rows(
            "INSERT INTO headgate.borrowed_places SELECT %s, gen_random_uuid(), gen_random_uuid() RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.pool_logs SELECT %s, gen_random_uuid(), 'extract', 1, 'printed', false, now()"
            " RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.node_memos SELECT %s, gen_random_uuid(), 'extract', 'k', '{}', now() RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.sync_cursors SELECT workspace_id, id, 'copy', repeat('0', 64), '[7]', NULL, 1, 7,"
            " gen_random_uuid(), 1, now() FROM headgate.workflows WHERE workspace_id = %s RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "WITH key AS (INSERT INTO headgate.data_keys"
            " SELECT %s, gen_random_uuid(), 'one', decode(repeat('00', 60), 'hex'), now() RETURNING workspace_id, id)"
            " INSERT INTO headgate.credentials SELECT workspace_id, 'shop', gen_random_uuid(), 'token', 1, id,"
            " decode(repeat('00', 60), 'hex'), 'alice', now(), 'alice', now() FROM key RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.credential_releases SELECT %s, gen_random_uuid(), 'extract', 1, gen_random_uuid(),"
            " 'shop', gen_random_uuid(), 1, 'pod-1', now() RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "WITH counter AS (INSERT INTO headgate.workspace_rate_limits SELECT %s, '', now(), 1, 0 RETURNING *)"
            " INSERT INTO headgate.rate_limit_loans SELECT workspace_id, subject, window_start, gen_random_uuid(), 1"
            " FROM counter RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.webhook_deliveries SELECT %s, gen_random_uuid(), 'orders', 'standard', 'msg-1', '',"
            " now(), 1, NULL, NULL, '', '', '{}', '{}', 0 RETURNING 1",
            world.ids[workspace],
        )
        await world.engine.audit.sign(SIGNING)
        await world.rows(
            "INSERT INTO headgate.analytics_deltas (workspace_id, workflow_id, day, node, sign, phase, duration_ms,"
            " cost, labels) SELECT %s, gen_random_uuid(), '2026-03-10', node, 1, 'Succeeded', 1000, 1,"
            " '{\"team\": \"shop\"}' FROM (VALUES ('work'), (NULL)) of (node) RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.run_documents SELECT %s, '2026-03-10', gen_random_uuid(), 'disk' RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.ended_labels SELECT %s, 'team', 'shop', 'Failed', '2026-03-10', gen_random_uuid()"
            " RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.run_artifacts SELECT %s, '2026-03-10', gen_random_uuid(), 'work', 1, 'report.csv', 7,"
            " repeat('0', 64), 'text/csv', 'path', now() RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.unnoted_artifacts SELECT %s, 'path', 7, now(), false RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.recommendations SELECT %s, gen_random_uuid(), gen_random_uuid(), 'work', 'Retry', '',"
            " now(), 'disk' RETURNING 1",
            world.ids[workspace],
        )
        await world.rows("INSERT INTO headgate.upkeep_days SELECT %s, '2026-03-10' RETURNING 1", world.ids[workspace])
        await world.engine.webhooks.count_refusals(world.ids[workspace], {"orders": (1, world.clock.now)})
        await world.rows(
            "INSERT INTO headgate.archive_parts SELECT %s, gen_random_uuid(), '2026-01-01', 'Writing', now(), now()"
            " RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.audit_parts SELECT %s, gen_random_uuid(), '2026-01-01', 'Writing', now(), now()"
            " RETURNING 1",
            world.ids[workspace],
        )
        await world.rows(
            "INSERT INTO headgate.audit_anchors SELECT workspace_id, 'Moved', sequence, hash, at, signing_key,"
            " signature FROM headgate.audit_checkpoints WHERE workspace_id = %s RETURNING 1",
            world.ids[workspace],
        )
    await world.engine.analytics.fold()
    for workspace in ("acme", "other"):
        await world.rows(
            "INSERT INTO headgate.analytics_deltas (workspace_id, workflow_id, day, sign, phase)"
            " SELECT %s, gen_random_uuid(), '2026-03-10', 1, 'Failed' RETURNING 1",
            world.ids[workspace],
        )
    return world


async def test_every_table_of_the_schema_is_known_to_these_tests(two_tenants: World) -> None:
    rows = await two_tenants.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'headgate'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition AND relname <> 'alembic_version' ORDER BY relname"
    )
    assert [row["relname"] for row in rows] == sorted((*TENANT_TABLES, *SHARED_TABLES))


async def test_every_table_and_partition_has_row_security_that_is_forced(two_tenants: World) -> None:
    unprotected = await two_tenants.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'headgate'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT (relrowsecurity AND relforcerowsecurity) AND relname <> 'alembic_version'"
    )
    assert unprotected == []


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_the_app_role_sees_the_rows_of_the_workspace_that_is_set(
    two_tenants: World, fresh: TestDatabase, table: str
) -> None:
    acme = two_tenants.ids["acme"]
    with acting_as(fresh.url, "headgate_app", acme) as connection:
        assert rows_of(connection, table) == [str(acme)]


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_the_app_role_sees_nothing_when_no_workspace_is_set(
    two_tenants: World, fresh: TestDatabase, table: str
) -> None:
    with acting_as(fresh.url, "headgate_app") as connection:
        assert rows_of(connection, table) == []


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_the_owner_sees_nothing_as_row_security_is_forced_on_it_too(
    two_tenants: World, fresh: TestDatabase, table: str
) -> None:
    with acting_as(fresh.migration_url, "headgate_owner", two_tenants.ids["acme"]) as connection:
        assert rows_of(connection, table) == []


async def test_of_pots_the_app_role_sees_the_one_that_its_workspace_is_in(world: World, fresh: TestDatabase) -> None:
    for name, pot in (("in-a", "a"), ("in-b", "b"), ("in-none", None)):
        await world.given_workspace(name, pot=pot)

    for name, seen in (("in-a", ["a"]), ("in-b", ["b"]), ("in-none", [])):
        with acting_as(fresh.url, "headgate_app", world.ids[name]) as connection:
            assert [row[0] for row in connection.execute("SELECT name FROM headgate.quota_pots")] == seen
            assert [row[0] for row in connection.execute("SELECT pot FROM headgate.pot_rate_limits")] == seen
    with acting_as(fresh.url, "headgate_app") as connection:
        assert connection.execute("SELECT FROM headgate.quota_pots").rowcount == 0
        assert connection.execute("SELECT FROM headgate.pot_rate_limits").rowcount == 0


@pytest.mark.parametrize(
    "parent",
    [
        "workflow_executions",
        "workflow_execution_steps",
        "execution_labels",
        "ended_labels",
        "run_documents",
        "run_artifacts",
    ],
)
@pytest.mark.parametrize("role", ["headgate_app", "headgate_system"])
async def test_no_running_program_may_touch_a_single_partition(
    two_tenants: World, fresh: TestDatabase, role: str, parent: str
) -> None:
    with (
        acting_as(fresh.url, role, two_tenants.ids["acme"]) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(sql.SQL("SELECT FROM headgate.{}").format(sql.Identifier(f"{parent}_2026_03")))


async def test_a_row_cannot_be_written_into_another_workspace(two_tenants: World, fresh: TestDatabase) -> None:
    with (
        acting_as(fresh.url, "headgate_app", two_tenants.ids["acme"]) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"),
    ):
        connection.execute(
            "INSERT INTO headgate.execution_triggers (workspace_id, trigger_key, created_at) VALUES (%s, 'k', now())",
            [two_tenants.ids["other"]],
        )


async def test_another_workspaces_rows_cannot_be_changed(two_tenants: World, fresh: TestDatabase) -> None:
    with acting_as(fresh.url, "headgate_app", two_tenants.ids["acme"]) as connection:
        changed = connection.execute(
            "UPDATE headgate.workflow_executions SET status = 'Cancelled' WHERE workspace_id = %s",
            [two_tenants.ids["other"]],
        )
        assert changed.rowcount == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE headgate.workflow_versions SET number = 2",
        "DELETE FROM headgate.workflow_versions",
        "DELETE FROM headgate.workflow_executions",
        "DELETE FROM headgate.execution_triggers",
        "UPDATE headgate.execution_triggers SET execution_id = NULL",
        "UPDATE headgate.workspace_resource_quotas SET max_concurrent_runs = 1000",
        "UPDATE headgate.workspaces SET suspended = false",
        "UPDATE headgate.data_retention_policies SET execution_logs_days = 1",
        "UPDATE headgate.api_keys SET role = 'owner'",
        "UPDATE headgate.api_keys SET expires_at = NULL",
        "DELETE FROM headgate.api_keys",
        "INSERT INTO headgate.quota_pots VALUES ('mine', 0, now(), 0, 0)",
        "SELECT headgate.move_to_pot(gen_random_uuid(), 'mine', '2026-01-01')",
        "UPDATE headgate.credential_releases SET runner = 'nobody'",
        "DELETE FROM headgate.credential_releases",
        "UPDATE headgate.credentials SET name = 'other'",
        "UPDATE headgate.execution_labels SET value = 'other'",
        "UPDATE headgate.ended_labels SET status = 'Failed'",
        "UPDATE headgate.run_artifacts SET node = 'other'",
        "UPDATE headgate.unnoted_artifacts SET path = 'other'",
        "UPDATE headgate.run_changes SET phase = 'Failed'",
        "UPDATE headgate.run_documents SET execution_id = gen_random_uuid()",
        "UPDATE headgate.workspace_analytics_daily SET total = 0",
        "DELETE FROM headgate.analytics_deltas",
        "INSERT INTO headgate.price_tables VALUES ('mine', now(), '{}')",
        "INSERT INTO headgate.replication_beats (number) VALUES (1)",
        "UPDATE headgate.replication_beats SET number = number + 1",
        "DELETE FROM headgate.run_changes",
        "UPDATE headgate.webhook_deliveries SET received_at = now()",
        "UPDATE headgate.webhook_deliveries SET message_id = 'other'",
        "UPDATE headgate.audit_log SET actor_name = 'nobody'",
        "DELETE FROM headgate.audit_log",
        "UPDATE headgate.archive_parts SET month = '2026-02-01'",
        "UPDATE headgate.archive_parts SET ended_before = now()",
        "SELECT headgate.remove_archived(gen_random_uuid(), '{}', '{}')",
        "SELECT headgate.drop_archived_month('2026-01-01', now())",
        "INSERT INTO headgate.archive_rounds VALUES (now(), now())",
        "INSERT INTO headgate.audit_log (workspace_id, sequence) VALUES (gen_random_uuid(), 1)",
        "UPDATE headgate.audit_parts SET entries_before = now()",
        "SELECT headgate.remove_archived_audit(gen_random_uuid())",
        "UPDATE headgate.audit_anchors SET sequence = 1",
        "DELETE FROM headgate.audit_anchors",
        "DELETE FROM headgate.audit_heads",
        "DELETE FROM headgate.audit_checkpoints",
        "INSERT INTO headgate.audit_checkpoints (sequence) VALUES (1)",
        "SELECT digest FROM headgate.audit_rounds",
    ],
)
async def test_the_app_role_cannot_rewrite_what_is_for_ever_or_lift_its_limits(
    two_tenants: World, fresh: TestDatabase, statement: str
) -> None:
    with (
        acting_as(fresh.url, "headgate_app", two_tenants.ids["acme"]) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


@pytest.mark.parametrize(
    "query",
    [
        "SELECT spec FROM headgate.workflow_versions",
        "SELECT output FROM headgate.workflow_execution_steps",
        "SELECT inputs FROM headgate.workflow_executions",
        "SELECT error_message FROM headgate.workflow_executions",
        "SELECT trigger_key FROM headgate.execution_triggers",
        "SELECT name FROM headgate.workflows",
        "SELECT hash FROM headgate.api_keys",
        "UPDATE headgate.tasks SET work = '{}'",
        "DELETE FROM headgate.tasks",
        "SELECT wrapped FROM headgate.data_keys",
        "UPDATE headgate.data_keys SET key_encryption_key = 'mine'",
        "SELECT name FROM headgate.credentials",
        "SELECT credential FROM headgate.credential_releases",
        "SELECT value FROM headgate.execution_labels",
        "SELECT value FROM headgate.ended_labels",
        "SELECT name FROM headgate.run_artifacts",
        "SELECT path FROM headgate.unnoted_artifacts",
        "DELETE FROM headgate.unnoted_artifacts",
        "SELECT content FROM headgate.pool_logs",
        "SELECT phase FROM headgate.run_changes",
        "UPDATE headgate.run_documents SET document = ''",
        "DELETE FROM headgate.workflow_documents",
        "SELECT message FROM headgate.recommendations",
        "SELECT execution_id FROM headgate.run_changes",
        "SELECT sealed FROM headgate.webhook_deliveries",
        "SELECT hook FROM headgate.webhook_deliveries",
        "DELETE FROM headgate.webhook_deliveries",
        "SELECT config FROM headgate.workflow_webhooks",
        "SELECT total FROM headgate.webhook_refusals",
        "SELECT actor_name FROM headgate.audit_log",
        "DELETE FROM headgate.audit_log",
        "UPDATE headgate.audit_checkpoints SET sequence = 1",
        "DELETE FROM headgate.audit_rounds",
        "SELECT files FROM headgate.audit_parts",
        "SELECT hash FROM headgate.audit_anchors",
        "SELECT headgate.remove_archived_audit(gen_random_uuid())",
    ],
)
async def test_the_system_role_gets_at_nothing_but_what_crosses_workspaces(
    two_tenants: World, fresh: TestDatabase, query: str
) -> None:
    with (
        acting_as(fresh.url, "headgate_system") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(query.encode())


async def test_the_system_role_does_not_see_runs_that_have_ended(two_tenants: World, fresh: TestDatabase) -> None:
    run = await two_tenants.admit()
    await two_tenants.succeed(run, "work")
    with acting_as(fresh.url, "headgate_system") as connection:
        seen = [row[0] for row in connection.execute("SELECT id FROM headgate.workflow_executions")]
    assert run not in seen
    assert len(seen) == 2


async def test_the_login_itself_may_do_nothing(two_tenants: World, fresh: TestDatabase) -> None:
    with psycopg.connect(fresh.url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT FROM headgate.workspaces")


async def test_no_role_bypasses_row_security(two_tenants: World) -> None:
    rows = await two_tenants.rows(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'headgate%%' AND (rolbypassrls OR rolsuper)"
    )
    assert rows == []


async def test_the_workspace_does_not_stay_set_when_the_connection_serves_the_next_transaction(
    two_tenants: World, fresh: TestDatabase
) -> None:
    single = Database(fresh.url, pool_size=1)
    async with single.tenant(two_tenants.ids["acme"]) as tx:
        before = await tx.one("SELECT pg_backend_pid(), count(*) FROM headgate.workflows")
    async with single.system() as tx:
        after = await tx.one("SELECT pg_backend_pid(), current_setting('app.workspace_id', true), current_user")
    await single.close()
    assert before[1] == 1
    assert tuple(after) == (before[0], "", "headgate_system")


async def test_runs_of_another_workspace_do_not_exist_for_the_engine(two_tenants: World) -> None:
    run = await two_tenants.admit(workspace="other")
    acme = two_tenants.ids["acme"]
    assert await two_tenants.engine.run_view(acme, run) is None
    assert (await two_tenants.engine.control.cancel(acme, run, "not mine")).runs == frozenset()
    assert await two_tenants.engine.run_view(acme, uuid4()) is None
