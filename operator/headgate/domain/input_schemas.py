"""JSON Schemas of inputs: which are accepted, and whether a value fits.

A schema comes from a tenant and is carried out in the process that serves all of them. So its cost is bounded: it has
a size and a depth, refers to nothing, has patterns that take linear time, and no keyword that looks at a value many
times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

from headgate.api.inputs import Input

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_BYTES = 4096
SCHEMA_DEPTH = 16
"""Maps and lists within each other."""
WORK = 4_000_000
"""Values in the schema times bytes of the value: some tens of milliseconds at most."""
LOCATED_BYTES = 1024
"""Length of a value up to which a schema with alternatives is asked where it does not fit: that takes far longer."""
_PATTERN_BYTES = 1_000_000
_ALTERNATIVES = frozenset({"anyOf", "oneOf"})
_PLAIN = frozenset({"$schema", "$comment"})
_REPEATING = frozenset({"unevaluatedItems", "unevaluatedProperties"})
_WORDS = 300


@dataclass(frozen=True)
class InputSchema:
    """A schema that was accepted."""

    _validator: Draft202012Validator = field(repr=False)
    _values: int
    """Values that the schema consists of."""
    _has_alternatives: bool

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> InputSchema:
        """Read a schema. Raises ``ValueError``, with what to change, for one that is not accepted."""
        parts = list(_parts(schema))
        if max(depth for _, depth in parts) > SCHEMA_DEPTH:
            raise ValueError(f"the schema is more than {SCHEMA_DEPTH} maps and lists deep; make it flatter")
        size = _bytes(schema)
        if size > SCHEMA_BYTES:
            raise ValueError(f"the schema has {size} bytes as JSON; the limit is {SCHEMA_BYTES}")
        keys = {key for part, _ in parts if isinstance(part, Mapping) for key in part}
        for key in sorted(keys):
            if key.startswith("$") and key not in _PLAIN:
                raise ValueError(f"the schema has {key}: references are not followed; write out what it refers to")
            if key in _REPEATING:
                raise ValueError(f"the schema has {key}, which is not supported: use additionalProperties or items")
        if schema.get("$schema", DIALECT) != DIALECT:
            raise ValueError(f"$schema is another dialect than {DIALECT}; leave it out")
        try:
            validator = Draft202012Validator(
                dict(schema),
                validate_formats=True,
                pattern_options=RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES),
                offline=True,
                mask="the value",
            )
        except (ValidationError, ValueError) as error:
            raise ValueError(f"the schema is not valid: {_told(error)}") from None
        return cls(validator, len(parts), bool(keys & _ALTERNATIVES))

    def work(self, value: Any) -> int:
        """How much it takes at most to hold the value against the schema; ``WORK`` is the limit."""
        return self._values * _bytes(value)

    def problem(self, value: Any) -> str | None:
        """Where and why the value, which must be JSON, does not fit; None when it does."""
        if self.work(value) > WORK:
            return f"the value is too large for so large a schema: {WORK // self._values} bytes as JSON are allowed"
        try:
            if self._validator.is_valid(value):
                return None
            if self._has_alternatives and _bytes(value) > LOCATED_BYTES:
                return "the value does not fit its schema"
            self._validator.validate(value)
        except ValueError as error:
            return _told(error)
        return None


def problem(declared: Input) -> str | None:
    """What is wrong with the schema of an input, or with its default by that schema; None when all is good."""
    if not declared.json_schema:
        return None
    try:
        schema = InputSchema.of(declared.json_schema)
    except ValueError as error:
        return f"input {declared.name}: {error}"
    unfit = schema.problem(declared.default) if declared.default is not None else None
    return None if unfit is None else f"input {declared.name}: the default does not fit the schema: {unfit}"


def _parts(value: Any, depth: int = 0) -> Iterator[tuple[Any, int]]:
    """The value and all within it, each with the number of maps and lists that it is, or lies, in."""
    inner: Any = ()
    if isinstance(value, Mapping):
        depth, inner = depth + 1, value.values()
    elif isinstance(value, list | tuple):
        depth, inner = depth + 1, value
    yield value, depth
    if depth <= SCHEMA_DEPTH:
        for part in inner:
            yield from _parts(part, depth)


def _bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def _told(error: ValueError) -> str:
    """What the library says, in one short line, with the place where it is said of."""
    words = str(getattr(error, "message", error)).split("\n", 1)[0]
    path = "".join(f"/{step}" for step in getattr(error, "instance_path", ()))
    words = words if len(words) <= _WORDS else f"{words[:_WORDS]}…"
    return f"at {path[:_WORDS]}: {words}" if path else words
