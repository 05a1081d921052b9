"""What failures of the driver mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from headgate.store.errors import (
    Contended,
    DatabaseNotMigrated,
    DatabaseUnavailable,
    PartitionMissing,
    RunFrozen,
    StatementRefused,
)

# A refused connection has no code, so that the words have to tell it.
_REFUSED_LOGIN = ("password authentication failed", "no pg_hba.conf entry", 'role "', 'database "')


@contextmanager
def translated() -> Iterator[None]:
    """Raise what a failure of the driver means in its place."""
    try:
        yield
    except psycopg.Error as error:
        raise _meaning(error) from None


def unanswered(error: Exception) -> str | None:
    """What it means, where Postgres could not be asked at all; None where it refused what it was asked."""
    # Without a code no answer came. Connections that fail, a server that starts or ends, and one that takes no more.
    no_answer = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)) and (
        error.sqlstate is None or error.sqlstate.startswith(("08", "57P", "53300"))
    )
    return str(_meaning(error)) if no_answer else None


def _meaning(error: BaseException | None) -> BaseException:
    """What a failure of the driver means. Where Postgres quotes values, its words are kept out of ours."""
    text = str(error)
    meaning: BaseException
    match error:
        case psycopg.errors.CheckViolation() if "no partition of relation" in text:
            meaning = PartitionMissing(text.split("\n", 1)[0])
        case (
            psycopg.errors.InvalidSchemaName()
            | psycopg.errors.UndefinedTable()
            | psycopg.errors.UndefinedFunction()
            | psycopg.errors.InvalidParameterValue()
        ):
            meaning = DatabaseNotMigrated("Headgate's tables or roles are missing; run `headgate migrate`")
        case psycopg.errors.InsufficientPrivilege() if "set role" in text:
            meaning = DatabaseNotMigrated("the login lacks Headgate's roles; run `headgate migrate`")
        case psycopg.errors.ObjectInUse():
            meaning = RunFrozen("the run is being moved to the archive: it can be read, and not changed any more")
        case (
            psycopg.errors.DeadlockDetected()
            | psycopg.errors.SerializationFailure()
            | psycopg.errors.LockNotAvailable()
            | psycopg.errors.QueryCanceled()
        ):
            meaning = Contended(f"Postgres is not available ({type(error).__name__})")
        case psycopg.OperationalError() if any(words in text for words in _REFUSED_LOGIN):
            meaning = DatabaseUnavailable("Postgres refuses the login: check role, password and database of its URL")
        case psycopg.OperationalError() | psycopg.InterfaceError():
            meaning = DatabaseUnavailable(f"Postgres is not available ({type(error).__name__})")
        case psycopg.DataError():
            meaning = StatementRefused(type(error).__name__)
        case psycopg.Error():
            meaning = StatementRefused(f"{type(error).__name__}: {error.diag.message_primary}")
        case _:
            meaning = error or AssertionError("a failure of the database without a cause")
    return meaning
