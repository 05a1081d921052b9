from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.amounts import Amount
from headgate.domain.grants import NOTHING, Holding, granted

amounts = st.integers(0, 50).map(Amount.of)
holdings = st.builds(Holding, amounts, st.one_of(st.none(), amounts), amounts)


def of(wanted: int, hard: int = 0, used: int = 0) -> Holding:
    return Holding(Amount.of(wanted), Amount.of(hard), Amount.of(used))


def limits(total: int, **held: Holding) -> dict[str, str]:
    return {name: str(amount) for name, amount in granted(Amount.of(total), held).items()}


def test_everybody_gets_what_they_want_where_nothing_is_used() -> None:
    assert limits(10, a=of(6), b=of(4)) == {"a": "6", "b": "4"}


def test_what_one_still_uses_is_not_given_to_another() -> None:
    assert limits(10, a=of(4, hard=6, used=6), b=of(6, hard=4)) == {"a": "4", "b": "4"}


def test_it_is_given_as_soon_as_it_is_let_go_of() -> None:
    assert limits(10, a=of(4, hard=4, used=5), b=of(6, hard=4)) == {"a": "4", "b": "5"}
    assert limits(10, a=of(4, hard=4, used=4), b=of(6, hard=5)) == {"a": "4", "b": "6"}


def test_what_is_not_used_moves_at_once() -> None:
    assert limits(10, a=of(4, hard=6, used=1), b=of(6, hard=4, used=4)) == {"a": "4", "b": "6"}


def test_a_holder_without_a_limit_may_use_what_is_wanted_for_it() -> None:
    assert Holding(Amount.of(5), None).lowered == Amount.of(5)


@given(st.integers(0, 100), st.dictionaries(st.sampled_from("abcd"), holdings))
def test_limits_and_use_never_exceed_the_total_unless_what_is_committed_does(
    total: int, held: dict[str, Holding]
) -> None:
    given_out = granted(Amount.of(total), held)

    possible = sum((max(given_out[name], held[name].used) for name in held), NOTHING)
    committed = sum((holding.committed for holding in held.values()), NOTHING)
    assert possible <= max(Amount.of(total), committed)


@given(st.integers(0, 100), st.dictionaries(st.sampled_from("abcd"), holdings))
def test_nobody_gets_more_than_wanted_or_less_than_it_has_lowered(total: int, held: dict[str, Holding]) -> None:
    for name, limit in granted(Amount.of(total), held).items():
        assert held[name].lowered <= limit <= held[name].wanted


@given(st.dictionaries(st.sampled_from("abcd"), st.tuples(amounts, amounts, amounts), min_size=1))
def test_once_all_keep_to_what_is_wanted_all_have_it(parts: dict[str, tuple[Amount, Amount, Amount]]) -> None:
    held = {name: Holding(wanted, hard, min(used, wanted)) for name, (wanted, hard, used) in parts.items()}
    total = sum((holding.wanted for holding in held.values()), NOTHING)

    assert granted(total, held) == {name: holding.wanted for name, holding in held.items()}
