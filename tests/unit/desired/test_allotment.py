from __future__ import annotations

from headgate.desired.allotment import Standing, allot, lowering
from headgate.domain.amounts import Amount


def cpu(amount: str) -> dict[str, Amount]:
    return {"requests.cpu": Amount.parse(amount)}


def now(hard: str, used: str = "0") -> Standing:
    return Standing(cpu(hard), cpu(used))


def test_new_namespaces_get_their_shares() -> None:
    made = allot(cpu("10"), {"a": cpu("6"), "b": cpu("4")}, {})

    assert made.hard == {"a": cpu("6"), "b": cpu("4")}
    assert made.short == {}


def test_only_what_comes_down_has_to_come_first() -> None:
    wanted = {"a": cpu("4"), "b": cpu("6")}

    assert lowering(wanted, {"a": now("6"), "b": now("4")}) == {"a": cpu("4")}
    assert lowering(wanted, {"a": now("4"), "b": now("4")}) == {}


def test_a_namespace_without_the_limit_gets_it_before_others_are_raised() -> None:
    assert lowering({"a": cpu("4")}, {"a": Standing()}) == {"a": cpu("4")}


def test_a_share_that_is_in_use_elsewhere_is_short() -> None:
    made = allot(cpu("10"), {"a": cpu("4"), "b": cpu("6")}, {"a": now("4", used="5"), "b": now("4")})

    assert made.hard["b"] == cpu("5")
    assert made.short == {"b": cpu("1")}


def test_what_other_workspaces_hold_of_a_shared_plan_is_not_given_away() -> None:
    made = allot(cpu("10"), {"a": cpu("5")}, {}, others=(now("7", used="2"), now("0", used="1")))

    assert made.hard == {"a": cpu("2")}
    assert made.short == {"a": cpu("3")}


def test_the_same_amount_is_always_spelt_the_same_way() -> None:
    wanted = {"a": {"requests.memory": Amount.parse("1Gi")}}
    standing = {"a": Standing({"requests.memory": Amount.parse("1073741824")})}

    made = allot({"requests.memory": Amount.parse("1Gi")}, wanted, standing)

    assert made.hard["a"]["requests.memory"].canonical() == "1Gi"
