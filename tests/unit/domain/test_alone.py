from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.builtin import Script
from headgate.domain.alone import carried, carried_in, failure_in, told

LONGEST_VARIABLE = 128 * 1024
"""What Linux takes, the name and what ends it included."""

texts = st.text(st.characters(exclude_categories=["Cs"]))


def a_script(source: str = "true", **env: str) -> Script:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    return Script.model_validate({"language": "python", "source": source, "env": variables})


@given(texts.filter(bool), texts)
def test_a_script_arrives_as_it_was_sent(source: str, value: str) -> None:
    script = a_script(source, A=value)

    assert carried_in(carried(script)) == script


def test_what_it_is_given_by_reference_stays_a_reference() -> None:
    env = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}}]
    script = Script.model_validate({"language": "shell", "source": "true", "env": env})

    assert carried_in(carried(script)) == script


@pytest.mark.parametrize("character", ["x", "\N{SNAKE}", "\x01", '"'])
def test_the_largest_script_is_carried_in_variables_that_linux_takes(character: str) -> None:
    script = a_script(character * 16_384, **{f"V{number}": character * 4096 for number in range(64)})

    variables = carried(script)

    assert carried_in(variables) == script
    assert all(len(f"{name}={value}\0".encode()) <= LONGEST_VARIABLE for name, value in variables.items())
    assert not any("\0" in value for value in variables.values())


def test_an_environment_without_a_script_has_none() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        carried_in({"PATH": "/bin"})


@given(texts, st.none() | st.integers(-255, 255))
def test_a_failure_arrives_in_the_size_that_the_kubelet_keeps(message: str, code: int | None) -> None:
    said = told("InvalidOutput", message, code)

    failure = failure_in(said)

    assert failure is not None
    assert (failure.succeeded, failure.reason, failure.exit_code) == (False, "InvalidOutput", code)
    assert failure.message == message or message.startswith(failure.message.removesuffix("…"))
    assert len(said.encode()) <= 4096


def test_a_long_failure_is_cut() -> None:
    failure = failure_in(told("ExitCode", "\x01" * 1000, 1))

    assert failure is not None
    assert failure.message.endswith("…")


@pytest.mark.parametrize(
    "text",
    [
        *("", "no disk", "[]", "3", "[" * 4096),
        *('{"reason": "A"}', '{"reason": "", "message": "", "exitCode": null}'),
        '{"reason": "A", "message": "b", "exitCode": "3"}',
    ],
)
def test_other_texts_are_no_failure_of_ours(text: str) -> None:
    assert failure_in(text) is None
