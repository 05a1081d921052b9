"""What options of ``headgate run`` say of a Test or Debug run."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.cli.debugging import Wishes, debug_of, mode_of
from headgate.cli.session import Mistake

FILE = """
startFrom: b
mocks:
- {node: a, output: {day: 2026-03-10}}
"""


def test_the_mode_is_one_of_two_or_none() -> None:
    assert [mode_of(test=True, debug=False), mode_of(test=False, debug=True)] == ["Test", "Debug"]
    assert mode_of(test=False, debug=False) is None
    with pytest.raises(Mistake, match="two kinds"):
        mode_of(test=True, debug=True)


def test_nothing_said_is_nothing() -> None:
    assert debug_of(Wishes()) is None


def test_options_say_what_the_spec_of_a_workflowrun_says() -> None:
    wishes = Wishes(
        mocks=["a=text", 'b:={"rows": 3}', "c="],
        pins=["d=0190"],
        pins_from="0191",
        start_from="b",
        stop_after="d",
        breakpoints=["e", "before:f", "after:g", "failure:h"],
    )

    assert debug_of(wishes) == {
        "mocks": [{"node": "a", "output": "text"}, {"node": "b", "output": {"rows": 3}}, {"node": "c", "output": ""}],
        "pins": [{"node": "d", "run": "0190"}],
        "pinsFrom": "0191",
        "startFrom": "b",
        "stopAfter": "d",
        "breakpoints": [
            {"node": "e", "at": "Before"},
            {"node": "f", "at": "Before"},
            {"node": "g", "at": "After"},
            {"node": "h", "at": "Failure"},
        ],
    }


def test_a_file_says_it_too_and_options_add_to_it(tmp_path: Path) -> None:
    (tmp_path / "debug.yaml").write_text(FILE)

    said = debug_of(Wishes(str(tmp_path / "debug.yaml"), mocks=["c=text"], start_from="d"))

    mocks = [{"node": "a", "output": {"day": "2026-03-10"}}, {"node": "c", "output": "text"}]
    assert said == {"startFrom": "d", "mocks": mocks}


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        (Wishes(mocks=["a"]), "NODE=TEXT"),
        (Wishes(mocks=["a:=x"]), "the mock of a is no JSON"),
        (Wishes(pins=["a="]), "NODE=RUN"),
        (Wishes(breakpoints=["never:a"]), "failure:NODE"),
        (Wishes(breakpoints=["after:"]), "failure:NODE"),
        (Wishes("/nowhere"), "--debug-file /nowhere cannot be read"),
    ],
)
def test_a_mistake_says_how_it_is_written(wishes: Wishes, says: str) -> None:
    with pytest.raises(Mistake, match=says):
        debug_of(wishes)


def test_a_file_has_an_object_with_lists(tmp_path: Path) -> None:
    for text, says in (("[a]", "has to hold an object"), ("mocks: {}", "mocks in --debug-file")):
        (tmp_path / "debug.yaml").write_text(text)
        with pytest.raises(Mistake, match=says):
            debug_of(Wishes(str(tmp_path / "debug.yaml"), mocks=["a=b"]))
