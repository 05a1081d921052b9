"""What can be said of a workflow's expressions without evaluating them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from headgate.api.node import Node
from headgate.api.rules import listed
from headgate.api.workflow import WorkflowSpec
from headgate.domain import templates
from headgate.domain.graph import Dependency
from headgate.domain.lexer import Kind, Token, tokens
from headgate.domain.templating import misplaced, templated

NODE_FIELDS = ("output", "phase")
"""What can be read of a node: ``nodes.<id>.output`` and ``nodes.<id>.phase``."""
RUN_FIELDS = ("id", "workflow", "phase")
"""What can be read of the run; its phase by final nodes only."""
EVENT_FIELDS = ("workflow", "runId", "phase", "outputs")
"""What can be read of the end of another run that set this one off."""
VARIABLES = ("inputs", "nodes", "run", "event", "item", "index", "attempt", "trigger")
"""What expressions can refer to: ``item`` and ``index`` where a node runs for each item of a list, ``attempt`` where it
is decided whether a failed one is repeated, ``trigger`` in a webhook."""
_LONGEST_REFERENCE = 6
"""Tokens that ``["a"]["output"]`` takes after a variable."""


@dataclass(frozen=True)
class Reference:
    """An expression's mention of a variable."""

    variable: str
    """One of ``VARIABLES``."""
    name: str | None
    """What is read of it, such as the node's id. None when it is computed, or the variable is used as a whole."""
    field: str | None = None
    """What is read of that by a name."""
    dashed: bool = False
    """Whether a minus sign follows the name: perhaps the name was meant to go on."""
    own: bool = False
    """Whether a macro of the expression may have redefined the variable."""


def expressions_of(node: Node) -> tuple[str, ...]:
    """Every expression of the node, in order and each once."""
    when = (node.retry.when,) if node.retry.when is not None else ()
    return tuple(dict.fromkeys((*entry_expressions(node), *work_expressions(node), *when)))


def entry_expressions(node: Node) -> tuple[str, ...]:
    """What is evaluated to find out for which items a node runs; nothing where it runs once."""
    return () if node.for_each is None else (node.for_each.items,)


def work_expressions(node: Node) -> tuple[str, ...]:
    """What is evaluated before the node's work begins, for every item anew: in order and each once."""
    config = node.config
    found = [] if config.expression is None else [config.expression]
    if config.transform is not None:
        found.append(config.transform.expression)
    found += templates.expressions(_templates(node))
    return tuple(dict.fromkeys(found))


def _templates(node: Node) -> list[Any]:
    key = [node.memoize.key] if node.memoize is not None else []
    return templated(node.config.to_wire()) + key


def mutex_expressions(spec: WorkflowSpec) -> tuple[str, ...]:
    """Every expression in the workflow's mutex, in order and each once."""
    return tuple(dict.fromkeys(templates.expressions(spec.concurrency.mutex or "")))


def references(expression: str) -> Iterator[Reference]:
    """What an expression reads, such as ``nodes.load.output``, ``nodes["load-all"]`` or ``inputs.?day``.

    A variable that a macro may have redefined, as in ``list.map(run, run.name)``, counts as used as a whole.
    """
    words = [word for word in tokens(expression) if word.text != "?" or word.kind is not Kind.OTHER]
    found: list[Reference] = []
    redefined: set[str] = set()
    for index, word in enumerate(words):
        before = words[index - 1].text if index else ""
        if word.kind is Kind.NAME and word.text in VARIABLES and before != ".":
            following = words[index + 1 : index + 1 + _LONGEST_REFERENCE]
            found.append(_reference(word.text, following))
            if before == "(" and following and following[0].text == ",":
                redefined.add(word.text)
    for reference in found:
        yield Reference(reference.variable, None, own=True) if reference.variable in redefined else reference


def reads(expressions: Iterable[str], upstream: AbstractSet[str]) -> frozenset[str]:
    """The ``upstream`` nodes that the expressions can read: those that they name, or all when a name is computed."""
    names = {
        reference.name
        for expression in expressions
        for reference in references(expression)
        if reference.variable == "nodes"
    }
    return frozenset(upstream) if None in names else frozenset(name for name in upstream if name in names)


def problems(spec: WorkflowSpec) -> tuple[str, ...]:
    """What is wrong with the expressions of a workflow, by the names in them; each names the node and what to change.

    An expression may name the inputs that are declared, and the nodes that its node depends on, however indirectly.
    """
    inputs = {declared.name for declared in spec.inputs}
    upstream = _upstream(spec.nodes)
    hears = any(node.config.event is not None for node in spec.nodes)
    found: list[str] = []
    for node in spec.nodes:
        unclosed = templates.unclosed(_templates(node))
        found += [f"node {node.id}: {text[:40]!r} is not closed by }}}}" for text in unclosed]
        found += [f"node {node.id}: {problem}" for problem in misplaced(node.config.to_wire())]
        for expression in expressions_of(node):
            for reference in references(expression):
                problem = (
                    _problem(reference, node.id, inputs, upstream)
                    or _problem_with_event(reference, hears=hears)
                    or _misplaced(reference, expression, node)
                )
                if problem is not None:
                    found.append(f"node {node.id}: {problem}")
    everything = {"": set(upstream), **upstream}
    for output in spec.outputs:
        for reference in references(output.expression):
            problem = (
                _problem(reference, "", inputs, everything)
                or _problem_with_event(reference, hears=hears)
                or _misplaced(reference, output.expression, None)
            )
            if problem is not None:
                found.append(f"output {output.name}: {problem}")
    found += _problems_with_mutex(spec, inputs)
    return tuple(dict.fromkeys(found))


def _misplaced(reference: Reference, expression: str, node: Node | None) -> str | None:
    """What is wrong with reading a variable here that has a value elsewhere only."""
    if reference.own:
        return None
    if reference.variable in ("item", "index"):
        here = node is not None and node.for_each is not None and expression in work_expressions(node)
        return None if here else f"there is no {reference.variable} here: only a node with forEach has one"
    if reference.variable == "attempt":
        here = node is not None and expression == node.retry.when
        return None if here else "there is no attempt here: only retry.when reads one"
    if reference.variable == "trigger":
        return "there is no trigger here: hand what a run needs of a delivery to its inputs, in config.webhook.inputs"
    if (reference.variable, reference.name) == ("run", "phase") and not (node is not None and node.final):
        return "there is no run.phase here: only final nodes know how the run went"
    return None


def _problems_with_mutex(spec: WorkflowSpec, inputs: set[str]) -> Iterator[str]:
    for text in templates.unclosed(spec.concurrency.mutex or ""):
        yield f"concurrency.mutex: {text[:40]!r} is not closed by }}}}"
    for expression in mutex_expressions(spec):
        for reference in references(expression):
            if reference.variable in ("nodes", "event", "trigger") and not reference.own:
                yield "concurrency.mutex: it is known before any node runs: use inputs only"
            elif (problem := _problem(reference, "", inputs, {})) is not None:
                yield f"concurrency.mutex: {problem}"


def _reference(variable: str, following: Sequence[Token]) -> Reference:
    name, rest = _member(following)
    if name is None:
        return Reference(variable, None)
    dashed = following[0].text == "." and bool(rest) and rest[0].text == "-"
    return Reference(variable, name, _member(rest)[0], dashed)


def _member(words: Sequence[Token]) -> tuple[str | None, Sequence[Token]]:
    """The name that is read, if words begin with ``.name`` or ``["name"]``, and the words after it."""
    if len(words) > 1 and words[0].text == "." and words[1].kind is Kind.NAME:
        return words[1].text, words[2:]
    literal = len(words) > 2 and words[0].text == "[" and words[1].kind is Kind.STRING and words[2].text == "]"  # noqa: PLR2004
    if literal and "\\" not in words[1].text:
        return words[1].text, words[3:]
    return None, words


def _upstream(nodes: Sequence[Node]) -> dict[str, set[str]]:
    """Of each node, those that it depends on, however indirectly."""
    upstream: dict[str, set[str]] = {}
    for node in nodes:
        direct = {Dependency.parse(reference).node for reference in node.depends_on}
        upstream[node.id] = direct.union(*(upstream.get(dependency, set()) for dependency in direct))
    return upstream


def _problem(reference: Reference, reader: str, inputs: set[str], upstream: dict[str, set[str]]) -> str | None:
    name = reference.name
    if name is None:
        return None
    if reference.variable == "nodes":
        return _problem_with_node(name, reference, reader, upstream)
    if reference.variable == "inputs" and name not in inputs:
        return f"there is no input {name}: declare it in spec.inputs"
    if reference.variable == "run" and name not in RUN_FIELDS:
        return f"there is no run.{name}: a run has {listed(RUN_FIELDS, last='and')}"
    return None


def _problem_with_event(reference: Reference, *, hears: bool) -> str | None:
    if reference.variable != "event" or reference.own:
        return None
    name = reference.name
    if not hears:
        return "there is no event: none of the triggers is the end of another workflow's run"
    if name is not None and name not in EVENT_FIELDS:
        return f"there is no event.{name}: an event has {', '.join(EVENT_FIELDS)}"
    return None


def _problem_with_node(name: str, reference: Reference, reader: str, upstream: dict[str, set[str]]) -> str | None:
    if name not in upstream:
        longer = sorted(other for other in upstream if other.startswith(f"{name}-"))
        if reference.dashed and longer:
            return f'there is no node {name}: a name with a dash is written nodes["{longer[0]}"]'
        return f"there is no node {name}"
    if name not in upstream[reader]:
        return f"it reads nodes.{name}, but does not depend on it: add {name} to dependsOn"
    if reference.field is not None and reference.field not in NODE_FIELDS:
        return f"there is no {reference.field} of node {name}: a node has {' and '.join(NODE_FIELDS)}"
    return None
