from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headgate.domain.amounts import Amount, Form

LARGEST = "9223372036854775807"

amounts = st.builds(Amount, st.integers(-(10**20), 10**20), st.sampled_from(Form))
positive_amounts = st.builds(Amount, st.integers(0, 10**20), st.sampled_from(Form))


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        # As resource.ParseQuantity(...).CanonicalizeBytes of k8s.io/apimachinery v0.36.3 prints them.
        ("0", "0"),
        ("0.0", "0"),
        ("0Ki", "0"),
        ("-0", "0"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("5.", "5"),
        ("+7", "7"),
        ("007", "7"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1.5", "1500m"),
        ("0.001", "1m"),
        ("1000", "1k"),
        ("1234567", "1234567"),
        ("100000", "100k"),
        ("2000000000", "2G"),
        ("1.5E", "1500P"),
        ("1u", "1u"),
        ("1000u", "1m"),
        ("999n", "999n"),
        ("0.1n", "1n"),
        ("1.0000000001", "1000000001n"),
        ("-1.5", "-1500m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1Ei", "1Ei"),
        ("2048Ki", "2Mi"),
        ("1025Ki", "1025Ki"),
        ("0.5Ki", "512"),
        ("1.1Ki", "1126400m"),
        ("-2048Ki", "-2Mi"),
        ("0.0001Ki", "102400u"),
        ("0.9765625Ki", "1k"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("1e+3", "1e3"),
        ("1e0", "1"),
        ("12e6", "12e6"),
        ("1.5e3", "1500"),
        ("100e1", "1e3"),
        ("5e-3", "5e-3"),
        ("1e-10", "1e-9"),
    ],
)
def test_is_spelt_as_the_api_server_spells_it(written: str, spelt: str) -> None:
    assert Amount.parse(written).canonical() == spelt


@pytest.mark.parametrize("written", ["16Ei", "999E", "1e999999999", "1" + "0" * 60])
def test_is_capped(written: str) -> None:
    assert Amount.parse(written).canonical() == LARGEST


@pytest.mark.parametrize("written", ["1e-999999999", "0." + "0" * 50 + "1"])
def test_something_is_never_rounded_to_nothing(written: str) -> None:
    assert Amount.parse(written).nanos == 1


@pytest.mark.parametrize(
    "written", ["", "m", ".", "+", "1 ", "1K", "1ki", "1mi", "1e", "1e1.5", "1..0", "0x1", "NaN", "\u0661", "1" * 65]
)
def test_what_is_no_quantity_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        Amount.parse(written)


@given(amounts)
def test_spelling_loses_nothing(amount: Amount) -> None:
    assert Amount.parse(amount.canonical()) == amount


@given(amounts)
@example(Amount(15_625_000 * 10**9, Form.BINARY))
def test_spelling_is_stable(amount: Amount) -> None:
    assert Amount.parse(amount.canonical()).canonical() == amount.canonical()


def test_amounts_compare_by_value_alone() -> None:
    assert Amount.parse("1Ki") == Amount.parse("1024") == Amount.parse("1.024e3")
    assert hash(Amount.parse("1Ki")) == hash(Amount.parse("1024"))
    assert Amount.parse("999m") < Amount.parse("1") < Amount.parse("1Ki")


@pytest.mark.parametrize(
    ("written", "kept"), [("1n", "1m"), ("1500u", "2m"), ("-1500u", "-2m"), ("1Gi", "1Gi"), ("0", "0")]
)
def test_a_resource_list_keeps_thousandths(written: str, kept: str) -> None:
    assert Amount.parse(written).in_resource_list().canonical() == kept


@pytest.mark.parametrize(
    ("written", "share", "part"), [("1", 33, "330m"), ("1m", 50, "0"), ("10Gi", 10, "1Gi"), ("-1", 50, "-500m")]
)
def test_a_percentage_is_exact_to_a_thousandth(written: str, share: int, part: str) -> None:
    assert Amount.parse(written).percent(share).canonical() == part


@given(positive_amounts, st.lists(st.integers(0, 100), max_size=8).filter(lambda shares: sum(shares) <= 100))
def test_percentages_never_add_up_to_more_than_the_whole(amount: Amount, shares: list[int]) -> None:
    assert sum((amount.percent(share) for share in shares), start=Amount(0)) <= amount


def test_adding_keeps_the_form_of_what_is_not_zero() -> None:
    assert (Amount.parse("1Gi") + Amount.parse("1024Mi")).canonical() == "2Gi"
    assert (Amount.of(0) + Amount.parse("1Ki")).canonical() == "1Ki"


def test_adding_stops_at_the_cap() -> None:
    assert (Amount.parse(LARGEST) + Amount.parse("1Ei")).canonical() == LARGEST
    assert (Amount.parse("-" + LARGEST) - Amount.parse("1Ei")).canonical() == "-" + LARGEST


def test_nothing_remains_of_what_is_used_up() -> None:
    assert Amount.parse("2").remaining(Amount.parse("500m")).canonical() == "1500m"
    assert Amount.parse("2").remaining(Amount.parse("3")) == Amount.of(0)
