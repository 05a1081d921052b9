"""``headgate migrate``: brings a database to the newest schema."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from headgate.store.roles import APP, OWNER, SYSTEM
from headgate.store.tables import SCHEMA

_LOCK = 0x6865616467617465
"""Held while migrating: the letters of the product's name."""
PATIENCE = timedelta(minutes=4)
"""How long migrations try to get locks that others hold."""
_LOCK_MILLISECONDS = 200
_TURN_SECONDS = 0.25
_PAUSE_SECONDS = 0.5


class MigrationRefused(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The database cannot be migrated as it is; the message says what an administrator has to do."""


def upgrade(
    migration_url: str,
    *,
    runtime_login: str | None = None,
    wait: timedelta = timedelta(seconds=60),
    sleep: Callable[[float], None] = time.sleep,
    patience: timedelta = PATIENCE,
    revision: str = "head",
) -> None:
    """Bring the database to ``revision``, the newest by default, and leave one that is there already as it is.

    Others go on reading and writing meanwhile: a migration gives way to them for as long as ``patience``.

    Waits up to ``wait`` for the database to answer. Two of these at once take turns. Creates the three roles where they
    are missing, and makes ``runtime_login`` a member of the two that running programs act as. Raises
    ``MigrationRefused`` when the login may not do that, ``OperationalError`` when the database does not answer.
    """
    with _connected(migration_url, wait, sleep) as connection:
        _prepare_roles(connection, runtime_login)
        _run(connection, lambda config: command.upgrade(config, revision), patience, sleep)
        connection.execute(text(f"GRANT SELECT ON {SCHEMA}.alembic_version TO {SYSTEM}"))
        connection.commit()


def downgrade(
    migration_url: str,
    revision: str,
    *,
    patience: timedelta = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Take the schema back to ``revision``; ``base`` removes all tables and what is in them. Gives way as above."""
    with _connected(migration_url, timedelta(0), time.sleep) as connection:
        connection.execute(text(f"SET ROLE {OWNER}"))
        connection.commit()
        _run(connection, lambda config: command.downgrade(config, revision), patience, sleep)


def newest_revision() -> str:
    """The revision that this program expects."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def current_revision(url: str) -> str | None:
    """The revision of the database, or None when there is none. ``url`` may be that of either login."""
    with _connected(url, timedelta(0), time.sleep, lock=False) as connection:
        known = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
        role = next((name for name in (OWNER, SYSTEM) if name in known and _may_become(connection, None, name)), None)
        if role is None:
            return None
        connection.execute(text(f"SET LOCAL ROLE {role}"))
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"{SCHEMA}.alembic_version"}) is None:
            return None
        found = connection.scalar(text(f"SELECT version_num FROM {SCHEMA}.alembic_version"))  # noqa: S608 - constants
        return None if found is None else str(found)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "headgate.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _run(
    connection: Connection, action: Callable[[Config], None], patience: timedelta, sleep: Callable[[float], None]
) -> None:
    """Carry out migrations, each in its own transaction, and repeat one that did not get its locks at once.

    Who waits for a lock holds up all who come after, so it does so for a moment only. That is shorter than Postgres
    takes to look for deadlocks: where there is one, it is the migration that gives way.
    """
    log = structlog.get_logger("headgate.migrate")
    config = _config()
    config.attributes["connection"] = connection
    connection.execute(text(f"SET lock_timeout = {_LOCK_MILLISECONDS}"))
    connection.commit()
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            action(config)
            connection.commit()
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable | DeadlockDetected):
                raise
            connection.rollback()
            if time.monotonic() >= deadline:
                raise MigrationRefused(
                    "others hold locks on tables that a migration has to change; it was tried for"
                    f" {patience.total_seconds():.0f} s. End long transactions, such as a backup's, and migrate again"
                ) from error
            log.info("others hold what a migration has to lock: it is tried again")
            sleep(_PAUSE_SECONDS)
        else:
            return


@contextmanager
def _connected(url: str, wait: timedelta, sleep: Callable[[float], None], *, lock: bool = True) -> Iterator[Connection]:
    """A connection of its own, alone among all migrations; its session's state ends with it."""
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool, connect_args={"connect_timeout": 5}
    )
    with _connect(engine, wait, sleep) as connection:
        if lock:
            _refuse_pooler(connection)
            # Asked for again and again: who waits for it in a transaction would be waited for by an index that is built
            # concurrently, as by whoever has it.
            while not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}):
                connection.commit()
                sleep(_TURN_SECONDS)
            connection.commit()
        yield connection


def _refuse_pooler(connection: Connection) -> None:
    """A pooler may give each transaction another connection, and the lock and role of a migration are those of one."""
    driver = connection.connection.driver_connection
    if driver is not None and connection.scalar(text("SELECT pg_backend_pid()")) != driver.info.backend_pid:
        raise MigrationRefused("the migration's URL leads to a pooler: give one that leads to Postgres itself")


def _connect(engine: Engine, wait: timedelta, sleep: Callable[[float], None]) -> Connection:
    deadline = time.monotonic() + wait.total_seconds()
    while True:
        try:
            return engine.connect()
        except OperationalError:
            if time.monotonic() >= deadline:
                raise
            sleep(1)


def _prepare_roles(connection: Connection, runtime_login: str | None) -> None:
    """Create the roles and the schema where they are missing, and act as the owner from here on."""
    try:
        present = set(connection.scalars(text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'headgate%'")))
        for role in (OWNER, APP, SYSTEM):
            if role not in present:
                connection.execute(text(f"CREATE ROLE {role} NOLOGIN"))
        if not _may_become(connection, None, OWNER):
            connection.execute(text(f"GRANT {OWNER} TO CURRENT_USER"))
        if runtime_login is not None:
            login = connection.dialect.identifier_preparer.quote(runtime_login)
            for role in (APP, SYSTEM):
                if not _may_become(connection, runtime_login, role):
                    connection.execute(text(f"GRANT {role} TO {login}"))
        if connection.scalar(text("SELECT to_regnamespace(:schema)"), {"schema": SCHEMA}) is None:
            connection.execute(text(f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {OWNER}"))
        connection.execute(text(f"SET ROLE {OWNER}"))
        connection.commit()
    except ProgrammingError as error:
        raise MigrationRefused(
            f"the migration's login may not prepare the database ({error.orig}); as an administrator run: "
            + _by_hand(runtime_login)
        ) from error


def _may_become(connection: Connection, login: str | None, role: str) -> bool:
    """Whether ``login``, ourselves when None, may act as ``role``."""
    version = connection.scalar(text("SELECT current_setting('server_version_num')::integer")) or 0
    # From Postgres 16 on whoever creates a role is a member of it who may administer it, but not act as it.
    privilege = "SET" if version >= 160000 else "MEMBER"  # noqa: PLR2004 - Postgres 16
    found = connection.scalar(
        text("SELECT pg_has_role(coalesce(:login, current_user), :role, :privilege)"),
        {"login": login, "role": role, "privilege": privilege},
    )
    return bool(found)


def _by_hand(runtime_login: str | None) -> str:
    statements = [f"CREATE ROLE {role} NOLOGIN" for role in (OWNER, APP, SYSTEM)]
    statements += [f"GRANT {OWNER} TO <migration login>", f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {OWNER}"]
    statements += [f"GRANT {APP}, {SYSTEM} TO {runtime_login or '<runtime login>'}"]
    return "; ".join(statements)
