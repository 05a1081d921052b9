"""Logs in JSON: timestamp, level, service, trace_id, workspace_id, message, metadata."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
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
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
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
                lambda _logger, _name, entry: orjson.dumps(entry, default=str).decode(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiohttp.access", "kopf", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _shape(service: str) -> structlog.typing.Processor:
    def shape(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry["message"] = entry.pop("event", "")
        entry["service"] = service
        level = entry.get("level")
        entry["level"] = {"warning": "warn", "critical": "error"}.get(str(level), level)
        shaped = {key: entry.pop(key) for key in _TOP_LEVEL if key in entry}
        return {**shaped, "metadata": dict(entry)} if entry else shaped

    return shape
