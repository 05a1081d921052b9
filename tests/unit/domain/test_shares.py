from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.domain.amounts import Amount
from headgate.domain.shares import split

RESOURCES = [
    "requests.cpu",
    "limits.memory",
    "requests.storage",
    "hugepages-2Mi",
    "gold.storageclass.storage.k8s.io/requests.storage",
    "pods",
    "count/workflows.headgate.dev",
    "requests.nvidia.com/gpu",
]


def parts(resource: str, total: str, shares: dict[str, int | None]) -> list[str]:
    return [part[resource].canonical() for part in split({resource: Amount.parse(total)}, shares).values()]


def test_one_namespace_gets_all() -> None:
    assert parts("requests.memory", "40Gi", {"a": 100}) == ["40Gi"]


def test_shares_are_percents() -> None:
    assert parts("requests.cpu", "20", {"a": 75, "b": 25}) == ["15", "5"]


def test_namespaces_without_a_share_split_the_rest_evenly() -> None:
    assert parts("requests.cpu", "10", {"a": 40, "b": None, "c": None}) == ["4", "3", "3"]


def test_what_is_not_given_out_stays_unused() -> None:
    assert parts("pods", "10", {"a": 30, "b": 30}) == ["3", "3"]


def test_the_first_namespaces_get_what_rounding_leaves_over() -> None:
    assert parts("pods", "11", {"a": None, "b": None, "c": None}) == ["4", "4", "3"]


def test_counts_are_whole_numbers() -> None:
    assert parts("count/workflows.headgate.dev", "1", {"a": 50, "b": 50}) == ["1", "0"]


def test_large_counts_are_split_to_the_last_one() -> None:
    assert parts("pods", "3000001", {"a": None, "b": None}) == ["1500001", "1500k"]
    assert parts("pods", "4000000", {"a": None, "b": None, "c": None}) == ["1333334", "1333333", "1333333"]


def test_cpu_is_split_to_the_thousandth() -> None:
    assert parts("limits.cpu", "1", {"a": None, "b": None, "c": None}) == ["334m", "333m", "333m"]


def test_memory_is_split_in_round_steps() -> None:
    assert parts("requests.memory", "40Gi", {"a": None, "b": None, "c": None}) == ["13654Mi", "13653Mi", "13653Mi"]
    assert parts("requests.storage", "100G", {"a": 50, "b": 50}) == ["50G", "50G"]


def test_little_memory_is_split_in_fine_steps() -> None:
    assert parts("requests.memory", "2Mi", {"a": 50, "b": 50}) == ["1Mi", "1Mi"]


def test_shares_of_more_than_the_whole_are_scaled_down() -> None:
    assert parts("pods", "10", {"a": 100, "b": 100}) == ["5", "5"]


def test_less_than_nothing_is_nothing() -> None:
    assert parts("pods", "-5", {"a": 100}) == ["0"]


shares_of_namespaces = st.lists(st.none() | st.integers(1, 100), min_size=1, max_size=12).map(
    lambda values: {f"ns-{index}": value for index, value in enumerate(values)}
)
totals = st.integers(0, 10**15).map(str) | st.integers(0, 10**6).map(lambda n: f"{n}Mi")


@given(st.sampled_from(RESOURCES), totals, shares_of_namespaces)
def test_parts_never_add_up_to_more_than_the_total(resource: str, total: str, shares: dict[str, int | None]) -> None:
    given_out = sum((part[resource] for part in split({resource: Amount.parse(total)}, shares).values()), Amount(0))
    assert given_out <= Amount.parse(total)


@given(st.sampled_from(RESOURCES), totals, shares_of_namespaces)
def test_nothing_is_lost_where_all_is_given_out(resource: str, total: str, shares: dict[str, int | None]) -> None:
    all_given_out = {**shares, "last": None} if sum(share or 0 for share in shares.values()) < 100 else shares
    given_out = sum(
        (part[resource] for part in split({resource: Amount.parse(total)}, all_given_out).values()), Amount(0)
    )
    assert given_out == Amount.parse(total)


@given(st.sampled_from(RESOURCES), totals, shares_of_namespaces)
def test_parts_are_what_the_api_server_accepts(resource: str, total: str, shares: dict[str, int | None]) -> None:
    for part in split({resource: Amount.parse(total)}, shares).values():
        assert part[resource] == part[resource].in_resource_list()
        assert resource == "requests.cpu" or part[resource].is_whole
