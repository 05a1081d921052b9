"""Price tables as an administrator writes them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from headgate.domain.prices import PricesInvalid, parse_prices


def test_the_same_prices_have_the_same_version_however_they_are_written() -> None:
    table = parse_prices('{"CPU": "0.0316110", "RAM": 0.004237}')
    assert table.prices == {"CPU": Decimal("0.031611"), "RAM": Decimal("0.004237")}
    assert table.version == parse_prices('{"RAM": "0.004237", "CPU": 0.031611}').version
    assert table.version != parse_prices('{"RAM": "0.004237", "CPU": 0.031612}').version


def test_spot_nodes_have_their_own_prices_where_there_are_any() -> None:
    table = parse_prices('{"CPU": "3", "RAM": "1", "spotCPU": "2", "spotLabel": "spot", "spotLabelValue": "yes"}')
    assert table.is_spot({"spot": "yes"})
    assert not table.is_spot({"spot": "no"})
    assert [table.price(key, spot=True) for key in ("CPU", "RAM", "GPU")] == [2, 1, 0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("CPU: 1", "is not JSON"),
        ("[]", "has to be a JSON object"),
        ('{"CPU": "1"}', "lacks 'RAM', the price of a GiB of memory"),
        ('{"CPU": "1", "RAM": "1", "cpu": "1"}', "has no key 'cpu': write one of CPU, RAM"),
        ('{"CPU": "-1", "RAM": "1"}', "CPU of the price table: write an amount from 0"),
        ('{"CPU": NaN, "RAM": "1"}', "CPU of the price table: write an amount from 0"),
        ('{"CPU": true, "RAM": "1"}', "CPU of the price table: write an amount from 0"),
        ('{"CPU": "1e-13", "RAM": "1"}', "12 digits after the point"),
        ('{"CPU": "1", "RAM": "1", "provider": 7}', "provider of the price table: write a text"),
        ('{"CPU": "1", "RAM": "1", "spotLabel": "a"}', "write both, or none"),
    ],
)
def test_what_cannot_be_used_says_what_to_change(text: str, says: str) -> None:
    with pytest.raises(PricesInvalid, match=says.replace("(", r"\(")):
        parse_prices(text)
