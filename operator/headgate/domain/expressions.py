"""What can be said of a workflow's expressions without evaluating them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headgate.api.node import Node
from headgate.api.workflow import WorkflowSpec
from headgate.domain import templates
from headgate.domain.graph import Dependency
from headgate.domain.lexer import Kind, Token, tokens

VARIABLES = ("inputs", "nodes")
"""What expressions can refer to."""


@dataclass(frozen=True)
class Reference:
    """An expression's mention of a node or an input by name."""

    variable: str
    """``inputs`` or ``nodes``."""
    name: str
    dashed: bool = False
    """Whether a minus sign follows: perhaps the name was meant to go on."""


def expressions_of(node: Node) -> tuple[str, ...]:
    """Every expression that the node has evaluated, in order and each once: the condition, and those in its strings."""
    found = [] if node.config.expression is None else [node.config.expression]
    found += templates.expressions(_strings_of(node))
    return tuple(dict.fromkeys(found))


def references(expression: str) -> Iterator[Reference]:
    """The nodes and inputs that an expression names, such as ``nodes.load``, ``nodes["load-all"]`` or ``inputs.?day``.

    Names that are computed, such as ``nodes[inputs.which]``, are not among them.
    """
    words = [*tokens(expression), *[Token(Kind.OTHER, "", len(expression))] * 5]
    for index, word in enumerate(words):
        if word.kind is Kind.NAME and word.text in VARIABLES and (index == 0 or words[index - 1].text != "."):
            reference = _reference(word.text, [w for w in words[index + 1 : index + 6] if w.text != "?"])
            if reference is not None:
                yield reference


def problems(spec: WorkflowSpec) -> tuple[str, ...]:
    """What is wrong with the expressions of a workflow, by the names in them; each names the node and what to change.

    An expression may name the inputs that are declared, and the nodes that its node depends on, however indirectly.
    """
    inputs = {declared.name for declared in spec.inputs}
    upstream = _upstream(spec.nodes)
    found: list[str] = []
    for node in spec.nodes:
        found += [
            f"node {node.id}: {text[:40]!r} is not closed by }}}}" for text in templates.unclosed(_strings_of(node))
        ]
        for expression in expressions_of(node):
            for reference in dict.fromkeys(references(expression)):
                if reference.variable == "inputs":
                    problem = _problem_with_input(reference, inputs)
                else:
                    problem = _problem_with_node(reference, node.id, upstream)
                if problem is not None:
                    found.append(f"node {node.id}: {problem}")
    return tuple(dict.fromkeys(found))


def _strings_of(node: Node) -> object:
    container = node.config.container
    return None if container is None else container.model_dump(mode="json")


def _reference(variable: str, following: Sequence[Token]) -> Reference | None:
    """The name that is read from ``variable``, by the tokens that follow it."""
    first, second, third = following[:3]
    if first.text == "." and second.kind is Kind.NAME:
        return Reference(variable, second.text, dashed=third.text == "-")
    if first.text == "[" and second.kind is Kind.STRING and third.text == "]" and "\\" not in second.text:
        return Reference(variable, second.text)
    return None


def _upstream(nodes: Sequence[Node]) -> dict[str, set[str]]:
    """Of each node, those that it depends on, however indirectly."""
    upstream: dict[str, set[str]] = {}
    for node in nodes:
        direct = {Dependency.parse(reference).node for reference in node.depends_on}
        upstream[node.id] = direct.union(*(upstream.get(dependency, set()) for dependency in direct))
    return upstream


def _problem_with_input(reference: Reference, declared: set[str]) -> str | None:
    if reference.name in declared:
        return None
    return f"there is no input {reference.name}: declare it in spec.inputs"


def _problem_with_node(reference: Reference, reader: str, upstream: dict[str, set[str]]) -> str | None:
    name = reference.name
    if name in upstream[reader]:
        return None
    if name in upstream:
        return f"it reads nodes.{name}, but does not depend on it: add {name} to dependsOn"
    longer = sorted(other for other in upstream if other.startswith(f"{name}-"))
    if reference.dashed and longer:
        return f'there is no node {name}: a name with a dash is written nodes["{longer[0]}"]'
    return f"there is no node {name}"
