"""Objects made from the schemas of custom resources, and what hostile people would change in good ones."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.support.hostile import HOSTILE, KEYS

Json = Any
T = TypeVar("T")
_MATCHES = re.compile(r"self\.matches\(r?'(.*)'\)", re.DOTALL)
_MOST_ITEMS = 4
_LONGEST = 80
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


def many(strategy: st.SearchStrategy[T], count: int, number: int) -> list[T]:
    """So many examples; the same ones for the same seed."""
    found: list[T] = []

    @seed(number)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: T) -> None:
        found.append(copy.deepcopy(example))

    collect()
    return found[:count]


def of_schema(schema: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    """Values that have the types, enums, patterns and bounds of a structural schema; its CEL rules need not hold."""
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(-1, 10_000) | _string(schema)
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return ANY_JSON
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _BY_TYPE[schema["type"]](schema)


def _object(schema: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    if "additionalProperties" in schema:
        most = min(schema.get("maxProperties", _MOST_ITEMS), _MOST_ITEMS)
        return st.dictionaries(st.sampled_from(KEYS) | _WORDS, of_schema(schema["additionalProperties"]), max_size=most)
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
    rules = [rule["rule"] for rule in schema.get("x-kubernetes-validations", ())]
    patterns = [found[1] for rule in rules if (found := _MATCHES.fullmatch(rule))]
    pattern = schema.get("pattern") or (patterns[0] if patterns else None)
    least, most = schema.get("minLength", 0), min(schema.get("maxLength", _LONGEST), _LONGEST)
    if pattern is None:
        return st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=most)
    return st.from_regex(pattern, fullmatch=True).map(lambda text: text[:most]).filter(lambda text: len(text) >= least)


def _integer(schema: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    low, high = schema.get("minimum", -(2**31)), schema.get("maximum", 2**31)
    return st.integers(low, high) | st.sampled_from([low, high, low - 1, high + 1])


_BY_TYPE: Mapping[str, Callable[[Mapping[str, Json]], st.SearchStrategy[Json]]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": lambda _: st.floats(allow_nan=False, allow_infinity=False),
    "boolean": lambda _: st.booleans(),
}


@st.composite
def mutated(draw: st.DrawFn, base: st.SearchStrategy[Json], most: int = 3) -> Json:
    """One of the base, in which up to so many values are replaced by hostile ones, taken away or added."""
    body = copy.deepcopy(draw(base))
    for _ in range(draw(st.integers(1, most))):
        places = _places(body)
        if not places:
            break
        holder, at = draw(st.sampled_from(places))
        change = draw(st.sampled_from(("replace", "replace", "replace", "remove", "add", "repeat")))
        if change == "replace":
            holder[at] = copy.deepcopy(draw(st.sampled_from(HOSTILE) | ANY_JSON))
        elif change == "remove":
            del holder[at]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[at] if change == "repeat" else draw(ANY_JSON)))
        else:
            holder[draw(_WORDS)] = copy.deepcopy(draw(ANY_JSON))
    return body


def _places(body: Json) -> list[tuple[Json, Json]]:
    """Every value inside, as what holds it and where it is in there."""
    inside = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    found = [(body, at) for at, _ in inside]
    for holder, at in list(found):
        found += _places(holder[at])
    return found
