"""Objects made from the schemas of custom resources, and what hostile people would change in good ones.

Hypothesis chooses, always from what is prepared: thousands of objects are made in seconds.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.support.harmless import HARMLESS
from tests.support.hostile import HOSTILE, KEYS

Json = Any
T = TypeVar("T")
Way = tuple[str, ...]
"""Where a value is inside of others: the names of members, and ``*`` for any item of a list or of a map."""
_MATCHES = re.compile(r"self\.matches\(r?'(.*)'\)", re.DOTALL)
_MOST_ITEMS = 3
_FLOOD = 150
_TRIES = 20


def one_of(values: Sequence[Json]) -> st.SearchStrategy[Json]:
    """A copy of one of the values, which may be large."""
    return st.sampled_from(range(len(values))).map(lambda at: copy.deepcopy(values[at]))


ANY_JSON = one_of((*HOSTILE, *HARMLESS))


class _Enough(Exception):  # noqa: N818 - nothing went wrong
    """There are as many as were asked for."""


class _Printer(Protocol):
    """What Hypothesis writes examples with."""

    def text(self, text: str, /) -> object: ...


@dataclass(frozen=True, repr=False)
class _Held(Generic[T]):
    """A value that is not written out: it may be large, and Hypothesis warns of what is."""

    value: T

    def _repr_pretty_(self, printer: _Printer, _: bool) -> None:
        printer.text("what was made")


def many(strategy: st.SearchStrategy[T], count: int, number: int) -> list[T]:
    """So many different examples, where there are; the same ones for the same seed.

    Hypothesis likes to come back to what it had: that is what the repetitions are for.
    """
    found: dict[str, T] = {}

    @seed(number)
    @settings(
        max_examples=count * _TRIES,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy.map(_Held))
    def collect(held: _Held[T]) -> None:
        if len(found) == count:
            raise _Enough
        found.setdefault(json.dumps(held.value, sort_keys=True), copy.deepcopy(held.value))

    with suppress(_Enough):
        collect()
    return list(found.values())


def of_schema(schema: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    """Values that have the types, enums, patterns and bounds of a structural schema; its CEL rules need not hold."""
    if schema.get("x-kubernetes-int-or-string"):
        return one_of((-1, 0, 1, 10_000, 2**63 - 1, *_fitting(schema)))
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return ANY_JSON
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return briefly(_BY_TYPE[schema["type"]](schema))


def briefly(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """The same, under a name that is shorter than all that it is made of: Hypothesis writes out what it retries."""

    @st.composite
    def a_value(draw: st.DrawFn) -> Json:
        return draw(inner)

    return a_value()


def parts(schema: Mapping[str, Json], way: Way = ()) -> Iterator[tuple[Way, st.SearchStrategy[Json]]]:
    """What fits at every place of a structural schema."""
    yield way, of_schema(schema)
    for name, inner in schema.get("properties", {}).items():
        yield from parts(inner, (*way, name))
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, Mapping):
            yield from parts(inner, (*way, "*"))


def _object(schema: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    if "additionalProperties" in schema:
        most = min(schema.get("maxProperties", _MOST_ITEMS), _MOST_ITEMS)
        return st.dictionaries(st.sampled_from(KEYS), of_schema(schema["additionalProperties"]), max_size=most)
    properties = {name: of_schema(inner) for name, inner in schema.get("properties", {}).items()}
    required = {name: properties.pop(name) for name in schema.get("required", ())}
    if _chooses_one(schema):
        one = st.sampled_from(sorted(properties)).flatmap(lambda name: st.fixed_dictionaries({name: properties[name]}))
        return one | st.fixed_dictionaries(required, optional=properties)
    return st.fixed_dictionaries(required, optional=properties)


def _chooses_one(schema: Mapping[str, Json]) -> bool:
    return any("exists_one(present" in rule["rule"] for rule in schema.get("x-kubernetes-validations", ()))


def _array(schema: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    keys = schema.get("x-kubernetes-list-map-keys", ())
    by: Callable[[Json], Json] | None = None
    if keys:
        members = schema["items"].get("properties", {})
        defaults = {key: members.get(key, {}).get("default") for key in keys}
        by = lambda item: tuple(str(item.get(key, defaults[key])) for key in keys)  # noqa: E731 - only where there are keys
    elif schema.get("x-kubernetes-list-type") == "set":
        by = repr
    most = min(schema.get("maxItems", _MOST_ITEMS), _MOST_ITEMS)
    return st.lists(of_schema(schema["items"]), min_size=schema.get("minItems", 0), max_size=most, unique_by=by)


def _string(schema: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    prepared = _fitting(schema)
    pattern = _pattern(schema)
    if prepared or pattern is None:
        return one_of(prepared or ("",))
    # A form that nothing prepared has: slow, and right.
    least, most = _lengths(schema)
    return st.from_regex(pattern, fullmatch=True).filter(lambda text: least <= len(text) <= most)


def _fitting(schema: Mapping[str, Json]) -> tuple[str, ...]:
    """The prepared strings that have the form of the schema."""
    pattern, (least, most) = _pattern(schema), _lengths(schema)
    of_length = (text for text in HARMLESS if least <= len(text) <= most)
    return tuple(text for text in of_length if pattern is None or re.fullmatch(pattern, text))


def _pattern(schema: Mapping[str, Json]) -> str | None:
    rules = [rule["rule"] for rule in schema.get("x-kubernetes-validations", ())]
    patterns = [found[1] for rule in rules if (found := _MATCHES.fullmatch(rule))]
    return schema.get("pattern") or (patterns[0] if patterns else None)


def _lengths(schema: Mapping[str, Json]) -> tuple[int, int]:
    return schema.get("minLength", 0), schema.get("maxLength", 4096)


def _integer(schema: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    low, high = schema.get("minimum", -(2**31)), schema.get("maximum", 2**31)
    return st.sampled_from((low, high, low + 1, (low + high) // 2, low - 1, high + 1))


_BY_TYPE: Mapping[str, Callable[[Mapping[str, Json]], st.SearchStrategy[Json]]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": lambda _: st.sampled_from((0.0, -0.0, 0.1, 1e308, 5e-324)),
    "boolean": lambda _: st.booleans(),
}


@st.composite
def mutated(
    draw: st.DrawFn,
    base: st.SearchStrategy[Json],
    fitting: Mapping[Way, st.SearchStrategy[Json]] | None = None,
    most: int = 2,
) -> Json:
    """One of the base, of which up to so many values are replaced, taken away, added or repeated.

    A value is replaced by a hostile one, or by one that is ``fitting`` there as far as the schema can tell.
    """
    body = copy.deepcopy(draw(base))
    for _ in range(draw(st.sampled_from((1, *range(1, most + 1))))):
        places = list(_places(body))
        if not places:
            break
        holder, at, way = draw(st.sampled_from(places))
        change = draw(st.sampled_from(("fit", "fit", "fit", "fit", "replace", "remove", "add", "repeat")))
        fits = (fitting or {}).get(way, (fitting or {}).get((*way[:-1], "*"))) if change == "fit" else None
        if fits is not None:
            holder[at] = draw(fits)
        elif change in ("fit", "replace"):
            holder[at] = draw(ANY_JSON)
        elif change == "remove":
            del holder[at]
        elif isinstance(holder, dict):
            holder[draw(st.sampled_from((*KEYS, "surplus", "", "\u0000")))] = draw(ANY_JSON)
        elif change == "repeat":
            holder += [copy.deepcopy(holder[at]) for _ in range(draw(st.sampled_from((1, _FLOOD))))]
        else:
            holder.append(draw(ANY_JSON))
    return body


def _places(body: Json, way: Way = ()) -> Iterator[tuple[Json, Json, Way]]:
    """Every value inside, as what holds it, where it is in there, and the way to it."""
    inside = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for at, value in list(inside):
        there = (*way, at if isinstance(at, str) else "*")
        yield body, at, there
        yield from _places(value, there)
