"""The typed client of the HTTP API, made from its OpenAPI document."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]
_WIDTH = 116
_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_HEAD = """
from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, NotRequired, TypedDict, cast

from headgate.client.transport import Answer, Transport, path_of"""


class UnknownFormError(Exception):
    """The document says something that the client has no form for."""


def client(document: Node, mark: str) -> str:
    """The module: a type for each schema, and a method for each operation."""
    schemas = document["components"]["schemas"]
    parts = [f'"""{mark}"""\n{_HEAD}']
    parts += [_alias(name, schema) for name, schema in schemas.items() if "enum" in schema]
    parts += [_record(name, schema) for name, schema in schemas.items() if "properties" in schema]
    rest = [name for name, schema in schemas.items() if "enum" not in schema and "properties" not in schema]
    if rest:
        raise UnknownFormError(f"schemas that are neither enumerations nor objects: {', '.join(rest)}")
    return "\n\n".join(parts) + "\n\n" + _methods(document)


def _alias(name: str, schema: Node) -> str:
    values = "".join(f'    "{value}",\n' for value in schema["enum"])
    text = f"{name} = Literal[\n{values}]"
    return f"{text}\n{_docstring(schema['description'], 0)}".rstrip() if "description" in schema else text


def _record(name: str, schema: Node) -> str:
    required = schema.get("required", ())
    lines = [f"\nclass {name}(TypedDict):", _docstring(schema.get("description", name + "."), 4), ""]
    for key, member in schema["properties"].items():
        kind = _type(member)
        lines.append(f"    {key}: {kind if key in required else f'NotRequired[{kind}]'}")
        if "description" in member:
            lines.append(_docstring(member["description"], 4))
    return "\n".join(lines)


def _methods(document: Node) -> str:
    lines = ["", "class Client:", '    """The operations of the API. They raise what their transport raises."""', ""]
    lines += ["    def __init__(self, transport: Transport) -> None:", "        self._transport = transport", ""]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            lines += [*_method(path, method.upper(), operation), ""]
    return "\n".join(lines)


def _method(path: str, method: str, operation: Node) -> Iterator[str]:
    parameters = operation.get("parameters", [])
    held = {item["name"]: item for item in parameters if item["in"] == "path"}
    # In the order of the path, whatever that of the document is.
    in_path = [held[name] for name in re.findall(r"{(\w+)}", path)]
    others = [item for item in parameters if item["in"] != "path"]
    body = operation.get("requestBody")
    streams, answer = _answer(operation)

    yield f"    {'' if streams else 'async '}def {_snake(operation['operationId'])}("
    yield "        self,"
    yield from (f"        {_snake(item['name'])}: {_type(item['schema'])}," for item in in_path)
    if body and body.get("required"):
        yield f"        body: {_content(body)},"
    if others or (body and not body.get("required")):
        yield "        *,"
    if body and not body.get("required"):
        yield f"        body: {_content(body)} | None = None,"
    for item in sorted(others, key=lambda item: not item.get("required")):
        kind = _type(item["schema"]).removesuffix(" | None")
        yield f"        {_snake(item['name'])}: {kind if item.get('required') else f'{kind} | None = None'},"
    yield f"    ) -> {answer}:"
    yield _docstring(operation["description"], 8)
    silent = streams and "text/event-stream" not in operation["responses"]["200"]["content"]
    yield from _call(path, method, in_path, others, body is not None, streams=streams, silent=silent, answer=answer)


def _call(
    path: str,
    method: str,
    in_path: list[Node],
    others: list[Node],
    body: bool,  # noqa: FBT001 - private
    *,
    streams: bool,
    silent: bool,
    answer: str,
) -> Iterator[str]:
    members = "".join(f"\n    {_snake(item['name'])}={_snake(item['name'])}," for item in in_path)
    lines = [f'"{method}",', f'path_of(\n    "{path}",{members}\n),' if members else f'path_of("{path}"),']
    for where, argument in (("query", "query"), ("header", "headers")):
        found = "".join(f'\n    "{item["name"]}": {_snake(item["name"])},' for item in others if item["in"] == where)
        if found:
            lines.append(f"{argument}={{{found}\n}},")
    if body:
        lines.append("body=body,")
    if silent:
        lines.append("silent=True,")
    arguments = textwrap.indent("\n".join(lines), "    ")
    sent = f"self._transport.{'stream' if streams else 'call'}(\n{arguments}\n)"
    if streams:
        text = f"return {sent}"
    elif answer == "None":
        text = f"await {sent}"
    else:
        awaited = textwrap.indent(f"await {sent},", "    ")
        text = f'return cast(\n    "{answer}",\n{awaited}\n)'
    yield textwrap.indent(text, " " * 8)


def _answer(operation: Node) -> tuple[bool, str]:
    """Whether the answer lasts, and its type."""
    kinds: set[str] = set()
    for status, answer in operation["responses"].items():
        for media, content in answer.get("content", {}).items() if status.startswith("2") else ():
            kinds.add(_type(content["schema"]) if media == "application/json" else "")
    if kinds == {""}:
        return True, "AbstractAsyncContextManager[Answer]"
    if len(kinds) > 1:
        raise UnknownFormError(f"{operation['operationId']} has answers of several forms: {sorted(kinds)}")
    return False, kinds.pop() if kinds else "None"


def _content(body: Node) -> str:
    return _type(body["content"]["application/json"]["schema"])


def _type(schema: Node) -> str:
    """The type of a value, as an annotation."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " | ".join(_type(item) for item in schema["anyOf"])
    match schema.get("type"):
        case None:
            return "Any"
        case "array":
            return f"list[{_type(schema['items'])}]"
        case "object":
            members = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
            kinds = {_type(member) for member in members if isinstance(member, dict)}
            return f"dict[str, {kinds.pop() if len(kinds) == 1 else 'Any'}]"
        case kind if kind in _SCALARS:
            return _SCALARS[kind]
        case kind:
            raise UnknownFormError(f"there is no form for the type {kind!r}")


def _docstring(text: str, indent: int) -> str:
    space = " " * indent
    paragraphs = [textwrap.wrap(part, _WIDTH - indent - 3, break_long_words=False) for part in text.split("\n\n")]
    first, *rest = [f"\n{space}".join(lines) for lines in paragraphs]
    if not rest and "\n" not in first and len(first) <= _WIDTH - indent - 6:
        return f"{space}{_quoted(first)}"
    return "\n".join([space + _quoted(f"\n\n{space}".join([first, *rest]) + f"\n{space}")])


def _quoted(text: str) -> str:
    raw = "r" if "\\" in text else ""
    return f'{raw}"""{text}"""'


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name.replace("-", "_")).lower()
