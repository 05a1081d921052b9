from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headgate.api.json_depth import is_too_deep
from headgate.domain.json_bytes import RECURSION_LIMIT, decode, encode, is_nested_deeper


def test_integers_of_64_bits_stay_exact() -> None:
    assert encode([2**64 - 1, -(2**63)]) == b"[18446744073709551615,-9223372036854775808]"


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**300])
def test_a_larger_integer_is_what_a_reader_of_doubles_makes_of_it(number: int) -> None:
    assert orjson.loads(encode({"deep": [{"n": number}]})) == orjson.loads(json.dumps({"deep": [{"n": number}]}))


def test_options_hold_beside_a_large_integer() -> None:
    assert encode({"b": 2**64, "a": True}, orjson.OPT_SORT_KEYS).startswith(b'{"a":true,"b":')


@pytest.mark.parametrize("value", [10**400, object(), "\ud800", {1: 2}])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        encode({"deep": [value]})


def nested(levels: int) -> str:
    return "[" * levels + "1" + "]" * levels


@pytest.fixture
def room_to_read() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(RECURSION_LIMIT)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("room_to_read")
def test_what_is_nested_as_deep_as_the_api_server_allows_is_read() -> None:
    assert decode(nested(9_990).encode()) == json.loads(nested(9_990))


def test_what_python_cannot_read_is_no_json() -> None:
    with pytest.raises(ValueError, match="too deep"):
        decode(nested(9_990).encode())


@pytest.mark.parametrize("raw", [b"", b"{", b"nope"])
def test_what_is_no_json_is_not_read(raw: bytes) -> None:
    with pytest.raises(ValueError, match="line 1"):
        decode(raw)


@pytest.mark.usefixtures("room_to_read")
def test_what_is_deeper_than_anything_may_be_is_cut_or_refused() -> None:
    value = {"spec": json.loads(nested(300))}

    cut = orjson.loads(encode(value, cut=True))
    assert is_too_deep(cut["spec"])
    assert not is_too_deep(cut, 128)
    with pytest.raises(TypeError, match="levels"):
        encode(value)


@pytest.mark.parametrize(
    ("raw", "deeper"),
    [
        (b"[[[1]]]", False),
        (b"[[[[1]]]]", True),
        (b'{"a":{"b":[{}]}}', True),
        (b"[[],[],[],[],[]]", False),
        (b"[[[" + b"[],[]," * 9, True),
        (b'["[[[[[[", "]]", {"{{{{": "}"}]', False),
        (rb'["\"[[[[", "\\", [[[1]]]]', True),
        (rb'["\\\"[[[[[["]', False),
        (b'["never ended [[[[[[', False),
        (b"]]]]]][[[[", False),
        (b"]]]]" + b"[" * 8, True),
        (b"", False),
        ("[1]".encode("utf-16"), True),
    ],
)
def test_depth_is_seen_without_parsing(raw: bytes, deeper: bool) -> None:
    assert is_nested_deeper(raw, 3) is deeper


@example([[[[]]]])
@example([[[{}]]])
@given(st.recursive(st.text() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_it_is_seen_as_one_would_see_it_after_parsing(value: object) -> None:
    for compact in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        raw = compact.encode(errors="surrogatepass")
        assert is_nested_deeper(raw, 3) is is_too_deep(value, 3)
