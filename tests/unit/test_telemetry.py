from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from headgate.telemetry import configure_logging

NOISY = ("aiohttp.access", "kopf", "asyncio", "alembic")


@contextmanager
def as_before() -> Iterator[None]:
    """Puts logging back to what it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in NOISY}
    before = structlog.get_config()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, former in levels.items():
            logging.getLogger(name).setLevel(former)
        structlog.configure(**before)


class Log:
    """Standard error while logging is configured, and what was logged to it since the last look."""

    def __init__(self) -> None:
        self._stream = io.StringIO()

    def configure(self, *args: str, **options: str) -> None:
        with redirect_stderr(self._stream):
            configure_logging(*args, **options)

    def __call__(self) -> list[dict[str, Any]]:
        """Each line must be an object."""
        text = self._stream.getvalue()
        self._stream.seek(0)
        self._stream.truncate()
        return [json.loads(line) for line in text.split("\n")[:-1]]


@pytest.fixture
def lines() -> Iterator[Log]:
    with as_before():
        log = Log()
        log.configure("info")
        structlog.contextvars.clear_contextvars()
        yield log


def test_a_line_has_the_audit_s_members_in_its_order(lines: Log) -> None:
    structlog.get_logger("headgate.lease").info(
        "leading", workspace_id="w1", trace_id="t1", lease="operator", identity="a"
    )

    (line,) = lines()
    assert list(line) == ["timestamp", "level", "service", "trace_id", "workspace_id", "message", "metadata"]
    del line["timestamp"]
    assert line == {
        "level": "info",
        "service": "headgate-operator",
        "trace_id": "t1",
        "workspace_id": "w1",
        "message": "leading",
        "metadata": {"lease": "operator", "identity": "a", "logger": "headgate.lease"},
    }


def test_the_timestamp_is_in_utc(lines: Log) -> None:
    structlog.get_logger("x").info("now")

    (line,) = lines()
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)


def test_what_is_not_known_is_left_out(lines: Log) -> None:
    structlog.get_logger("x").info("plain")

    (line,) = lines()
    assert not {"trace_id", "workspace_id"} & line.keys()


def test_the_context_counts(lines: Log) -> None:
    with structlog.contextvars.bound_contextvars(trace_id="t1", workspace_id="w1", run="r1"):
        structlog.get_logger("x").info("inside")
        logging.getLogger("library").warning("so do libraries")
    structlog.get_logger("x").info("outside")

    inside, library, outside = lines()
    for line in (inside, library):
        assert (line["trace_id"], line["workspace_id"], line["metadata"]["run"]) == ("t1", "w1", "r1")
    assert "trace_id" not in outside


@pytest.mark.parametrize(
    ("method", "level"), [("info", "info"), ("warning", "warn"), ("error", "error"), ("critical", "error")]
)
def test_levels_are_those_of_the_audit(lines: Log, method: str, level: str) -> None:
    getattr(structlog.get_logger("x"), method)("it")
    getattr(logging.getLogger("library"), method)("it")

    assert [line["level"] for line in lines()] == [level, level]


def test_an_exception_is_told_with_its_stack_in_one_line(lines: Log) -> None:
    try:
        json.loads("it broke")
    except ValueError:
        structlog.get_logger("x").exception("reconciliation failed", key="workspace acme")
        logging.getLogger("library").exception("so did the library")

    ours, theirs = lines()
    assert (ours["level"], ours["message"]) == ("error", "reconciliation failed")
    assert ours["metadata"]["key"] == "workspace acme"
    for line in (ours, theirs):
        assert "Traceback" in line["metadata"]["exception"]
        assert "JSONDecodeError: Expecting value" in line["metadata"]["exception"]


def test_libraries_log_in_the_same_form(lines: Log) -> None:
    logging.getLogger("library").info("%d things %s", 3, "done", extra={"ignored": 1})

    (line,) = lines()
    assert (line["service"], line["level"], line["message"]) == ("headgate-operator", "info", "3 things done")
    assert line["metadata"] == {"logger": "library"}


def test_the_service_can_be_named(lines: Log) -> None:
    lines.configure("info", service="headgate-gateway")
    structlog.get_logger("x").info("it")

    (line,) = lines()
    assert line["service"] == "headgate-gateway"


def test_configuring_again_does_not_log_twice(lines: Log) -> None:
    lines.configure("info")
    lines.configure("info")
    logging.getLogger("library").info("once")

    assert len(lines()) == 1


def test_less_than_the_level_is_not_logged(lines: Log) -> None:
    for level, expected in (("debug", 4), ("info", 3), ("warning", 2), ("error", 1)):
        lines.configure(level)
        for method in ("debug", "info", "warning", "error"):
            getattr(structlog.get_logger(level), method)("it")
        assert len(lines()) == expected, level


@pytest.mark.parametrize("name", NOISY)
def test_noisy_libraries_are_heard_when_something_is_wrong(lines: Log, name: str) -> None:
    logging.getLogger(name).info("hum")
    logging.getLogger(name).warning("wrong")
    assert [line["message"] for line in lines()] == ["wrong"]

    lines.configure("error")
    logging.getLogger(name).warning("wrong")
    assert lines() == []


def test_a_secret_is_never_told(lines: Log) -> None:
    secret = SecretStr("hunter2")
    structlog.get_logger("x").info(f"with {secret}", dsn=secret, nested={"dsn": [secret], 1: secret})
    structlog.get_logger("x").info("beyond JSON", dsn=secret, odd={2**70: secret})
    logging.getLogger("library").warning("with %s and %r", secret, secret)

    read = lines()
    assert len(read) == 3
    assert "hunter2" not in json.dumps(read)


def test_values_of_all_sorts_are_told(lines: Log) -> None:
    run = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    structlog.get_logger("x").info("it", run=run, wait=timedelta(seconds=5), error=KeyError("k"), keys={1: "one"})

    (line,) = lines()
    told = line["metadata"]
    assert (told["run"], told["wait"], told["error"], told["keys"]) == (str(run), "0:00:05", "'k'", {"1": "one"})


def test_a_line_break_does_not_make_a_second_line(lines: Log) -> None:
    structlog.get_logger("x").info('forged\n{"level": "error"}', note="a\r\nb")

    assert len(lines()) == 1


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@given(message=st.text(st.characters()), value=_values)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_is_logged_is_one_line_of_json(lines: Log, message: str, value: Any) -> None:
    structlog.get_logger("x").info(message, value=value)

    (line,) = lines()
    assert isinstance(line["metadata"], dict)


@pytest.mark.parametrize("value", ["\ud800", 2**70, {(1, 2): "tuple"}], ids=["surrogate", "large", "key"])
def test_even_what_json_has_no_form_for(lines: Log, value: Any) -> None:
    structlog.get_logger("x").warning("odd", value=value, workspace_id="w1")

    (line,) = lines()
    assert (line["message"], line["level"], line["workspace_id"]) == ("odd", "warn", "w1")
    assert line["metadata"]["logger"] == "x"
