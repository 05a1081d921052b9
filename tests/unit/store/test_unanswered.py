"""Which failures of the driver say that Postgres is away."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from headgate.store.failures import unanswered


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("connection to server at 10.0.0.1 failed: Connection refused"),
        psycopg.InterfaceError("the connection is closed"),
        errors.ConnectionTimeout("connection timeout expired"),
        errors.AdminShutdown("terminating connection"),
        errors.CannotConnectNow("the database system is starting up"),
        errors.TooManyConnections("too many clients already"),
        errors.ConnectionFailure("server closed the connection"),
    ],
)
def test_without_a_connection_there_is_no_answer_and_the_words_name_no_host(error: Exception) -> None:
    words = unanswered(error)

    assert words is not None
    assert "Postgres is not available" in words
    assert "10.0.0.1" not in words


@pytest.mark.parametrize(
    "error",
    [
        errors.QueryCanceled("canceling statement due to statement timeout"),
        errors.LockNotAvailable("canceling statement due to lock timeout"),
        errors.DeadlockDetected("deadlock detected"),
        errors.SerializationFailure("could not serialize access"),
        errors.DiskFull("no space left on device"),
        errors.UniqueViolation("duplicate key"),
        errors.UndefinedTable("no such table"),
        ValueError("a mistake of ours"),
    ],
)
def test_whatever_it_refuses_it_is_there(error: Exception) -> None:
    assert unanswered(error) is None
