from __future__ import annotations

from typing import Any

from headgate.desired.inventory import Inventory, take_stock
from tests.unit.desired.builders import a_workspace


def live(**metadata: Any) -> dict[str, Any]:
    return {"metadata": metadata}


ADOPTED = live(annotations={"headgate.dev/adopted": "true"})


def test_a_new_workspace_wants_its_namespaces() -> None:
    assert take_stock(a_workspace(), {}) == Inventory(wanted=("acme",))


def test_what_leaves_the_spec_is_kept() -> None:
    assert take_stock(a_workspace(), {"acme": live(), "acme-old": live()}).kept == ("acme-old",)


def test_it_is_deleted_where_the_workspace_s_policy_says_so() -> None:
    stock = take_stock(a_workspace(deletionPolicy="Delete"), {"acme": live(), "acme-old": live()})

    assert (stock.kept, stock.doomed) == ((), ("acme-old",))


def test_what_was_adopted_is_let_go_whatever_the_policy() -> None:
    for policy in ("Retain", "Delete"):
        stock = take_stock(a_workspace(deletionPolicy=policy), {"acme": live(), "shop": ADOPTED})

        assert (stock.released, stock.kept, stock.doomed) == (("shop",), (), ())


def test_what_was_adopted_is_remembered() -> None:
    stock = take_stock(a_workspace(namespaces=[{"name": "shop", "adopt": True}]), {"shop": ADOPTED})

    assert stock.adopted == frozenset({"shop"})


def test_what_is_being_deleted_needs_nothing_more() -> None:
    assert take_stock(a_workspace(), {"acme-old": live(deletionTimestamp="2026-01-01T00:00:00Z")}).kept == ()
