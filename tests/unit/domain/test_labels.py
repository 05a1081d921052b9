"""What labels a run may have."""

from __future__ import annotations

import pytest

from headgate.domain.labels import LabelsInvalid, check_labels, given_labels


def test_of_an_objects_labels_those_count_that_are_not_headgates_own() -> None:
    labels = {
        "team": "shop",
        "app.kubernetes.io/part-of": "store",
        "headgate.dev/run": "x",
        "headgate.developer/a": "b",
    }

    assert given_labels(labels) == {key: value for key, value in labels.items() if key != "headgate.dev/run"}


@pytest.mark.parametrize("key", ["a", "A.b_c-d", "x" * 63, "example.com/team", f"{'d' * 253}/a"])
@pytest.mark.parametrize("value", ["", "1", "v" * 63, "1.2_3-4"])
def test_what_kubernetes_takes_is_taken(key: str, value: str) -> None:
    check_labels({key: value})


@pytest.mark.parametrize("key", ["", "a ", "a\n", "x" * 64, "/a", "a/", "A/b", "a//b", "ä", "-a", "a-"])
def test_keys_that_are_none_are_refused(key: str) -> None:
    with pytest.raises(LabelsInvalid):
        check_labels({key: ""})


@pytest.mark.parametrize("value", [" ", "v\n", "v" * 64, "-v", "ä", "a b"])
def test_values_that_are_none_are_refused_without_being_shown(value: str) -> None:
    with pytest.raises(LabelsInvalid, match="label team"):
        check_labels({"team": value})
