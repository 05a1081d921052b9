"""Which connector a node asks for. Its library is imported with the first node that does."""

from __future__ import annotations

from typing import Any

from headgate.api.connectors import Connector
from headgate.domain.runner_protocol import Task
from headgate.runner import http
from headgate.runner.connectors.reach import Reach
from headgate.runner.copying.copy import Cursor
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Redactor, Secrets


async def execute(  # noqa: PLR0911 - one for each kind
    node: Connector, task: Task, secrets: Secrets, reach: Reach, cursor: Cursor, redactor: Redactor
) -> Any:
    """The output of the node. Raises ``NodeFailed``."""
    if node.http is not None:
        return await http.execute(node.http, secrets, reach.networks, resolve=reach.resolve)
    if node.postgres is not None:
        from headgate.runner.connectors import postgres

        return await postgres.execute(node.postgres, secrets, reach, task.timeout_seconds)
    if node.s3 is not None:
        from headgate.runner.connectors import s3

        return await s3.execute(node.s3, secrets, reach)
    if node.smtp is not None:
        from headgate.runner.connectors import smtp

        return await smtp.execute(node.smtp, secrets, reach, task.run_id, task.node)
    if node.slack is not None:
        from headgate.runner.connectors import slack

        return await slack.execute(node.slack, secrets, reach)
    if node.git is not None:
        from headgate.runner.connectors import git

        return await git.execute(node.git, secrets, reach)
    if node.kafka is not None:
        from headgate.runner.connectors import kafka

        return await kafka.execute(node.kafka, secrets, reach)
    if node.sync is not None:
        from headgate.runner.copying import parts

        return await parts.execute(node.sync, secrets, reach, cursor, redactor, task.timeout_seconds)
    raise NodeFailed("InvalidTask", "this runner does not know what the node asks for")
