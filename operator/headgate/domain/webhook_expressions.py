"""The expressions of webhooks: they are evaluated before there is a run, and read the delivery alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.api.rules import listed
from headgate.domain import templates
from headgate.domain.expressions import Reference, references
from headgate.domain.webhooks import TRIGGER_FIELDS

if TYPE_CHECKING:
    from headgate.api.node import Node
    from headgate.api.webhook import Webhook
    from headgate.api.workflow import WorkflowSpec


def mapped_expressions(webhook: Webhook) -> tuple[str, ...]:
    """Every expression in the inputs that the webhook gives, in order and each once."""
    return tuple(dict.fromkeys(templates.expressions(dict(webhook.inputs))))


def webhook_expressions(node: Node) -> tuple[str, ...]:
    """Every expression of a node that is a webhook, in order and each once."""
    webhook = node.config.webhook
    if webhook is None:
        return ()
    when = (webhook.when,) if webhook.when is not None else ()
    return tuple(dict.fromkeys((*when, *mapped_expressions(webhook))))


def webhook_problems(spec: WorkflowSpec) -> tuple[str, ...]:
    """What is wrong with the expressions of a workflow's webhooks, each naming the node and what to change."""
    found: list[str] = []
    for node in spec.nodes:
        webhook = node.config.webhook
        unclosed = templates.unclosed(dict(webhook.inputs)) if webhook is not None else ()
        found += [f"node {node.id}: {text[:40]!r} is not closed by }}}}" for text in unclosed]
        for expression in webhook_expressions(node):
            for reference in references(expression):
                if (problem := _problem(reference)) is not None:
                    found.append(f"node {node.id}: {problem}")
    return tuple(dict.fromkeys(found))


def _problem(reference: Reference) -> str | None:
    if reference.own:
        return None
    if reference.variable != "trigger":
        return f"there is no {reference.variable} here: a webhook reads trigger alone, as there is no run yet"
    if reference.name is not None and reference.name not in TRIGGER_FIELDS:
        return f"there is no trigger.{reference.name}: a delivery has {listed(TRIGGER_FIELDS, last='and')}"
    return None
