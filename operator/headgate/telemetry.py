"""Logs in JSON: timestamp, level, service, trace_id, workspace_id, message, metadata."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import orjson
import structlog

SERVICE = "headgate-operator"
_TOP_LEVEL = ("timestamp", "level", "service", "trace_id", "workspace_id", "message")


def configure_logging(level: str, *, service: str = SERVICE) -> None:
    """Send structlog and the standard library's logging to standard error, one JSON object a line."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        # What nobody is to read is dropped before anything is made of it.
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _shape(service),
                lambda _logger, _name, entry: _encoded(entry),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiohttp.access", "kopf", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def _shape(service: str) -> structlog.typing.Processor:
    def shape(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry["message"] = entry.pop("event", "")
        entry["service"] = service
        level = entry.get("level")
        entry["level"] = {"warning": "warn", "critical": "error"}.get(str(level), level)
        shaped = {key: entry.pop(key) for key in _TOP_LEVEL if key in entry}
        return {**shaped, "metadata": dict(entry)} if entry else shaped

    return shape


def _encoded(entry: Mapping[str, Any]) -> str:
    """One line of JSON whatever is logged: a log that fails hides what it was about."""
    try:
        return orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return json.dumps({key: _plain(value) for key, value in entry.items()})


def _plain(value: Any) -> str | dict[str, str]:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, Mapping) else str(value)
