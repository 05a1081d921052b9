from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.cluster.resources import QUOTAS
from headgate.reconcile.dependents import Dependents
from headgate.reconcile.keys import Key, Topic

ACME, GLOBEX = Key(Topic.WORKSPACE, "acme"), Key(Topic.WORKSPACE, "globex")
TEAM, LARGE = QUOTAS.key("team"), QUOTAS.key("large")


def quiet() -> Dependents:
    return Dependents(lambda _: None)


def test_who_looked_at_an_object_depends_on_it() -> None:
    dependents = quiet()

    assert dependents.depend(ACME, TEAM)
    assert dependents.depend(GLOBEX, TEAM)

    assert set(dependents.of(TEAM)) == {ACME, GLOBEX}
    assert dependents.on(ACME) == {TEAM}
    assert dependents.of(LARGE) == ()
    assert dependents.on(Key(Topic.WORKSPACE, "another")) == frozenset()


def test_the_same_again_is_no_news() -> None:
    dependents = quiet()
    dependents.depend(ACME, TEAM, LARGE)

    assert not dependents.depend(ACME, LARGE, TEAM)
    assert not dependents.depend(GLOBEX)


def test_what_it_looks_at_now_counts_and_what_it_looked_at_before_does_not() -> None:
    dependents = quiet()
    dependents.depend(ACME, TEAM)

    assert dependents.depend(ACME, LARGE)

    assert dependents.of(TEAM) == ()
    assert dependents.of(LARGE) == (ACME,)


def test_it_may_depend_on_nothing_any_more() -> None:
    dependents = quiet()
    dependents.depend(ACME, TEAM)

    assert dependents.depend(ACME)

    assert dependents.of(TEAM) == ()
    assert dependents.on(ACME) == frozenset()


def test_a_change_wakes_who_depends_on_it() -> None:
    woken: list[Key] = []
    dependents = Dependents(woken.append)
    dependents.depend(ACME, TEAM)
    dependents.depend(GLOBEX, LARGE)

    dependents.wake(TEAM)

    assert woken == [ACME]


def test_to_wake_may_change_who_depends() -> None:
    def let_go(key: Key) -> None:
        dependents.depend(key)

    dependents = Dependents(let_go)
    dependents.depend(ACME, TEAM)
    dependents.depend(GLOBEX, TEAM)

    dependents.wake(TEAM)

    assert dependents.of(TEAM) == ()


_relations = st.tuples(st.sampled_from("abc"), st.frozensets(st.sampled_from("xyz")))


@given(st.lists(_relations, max_size=20))
def test_both_directions_always_agree(relations: list[tuple[str, frozenset[str]]]) -> None:
    dependents, naive = quiet(), dict[str, frozenset[str]]()
    for key, on in relations:
        news = dependents.depend(Key(Topic.WORKSPACE, key), *(QUOTAS.key(item) for item in on))
        assert news == (naive.get(key, frozenset()) != on)
        naive[key] = on

    for item in "xyz":
        found = {key.name for key in dependents.of(QUOTAS.key(item))}
        assert found == {key for key, on in naive.items() if item in on}
