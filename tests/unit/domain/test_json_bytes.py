from __future__ import annotations

import json

import orjson
import pytest

from headgate.domain.json_bytes import encode


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
