"""What fields are for is read from the docstrings below them, when it is asked for."""

from __future__ import annotations

from headgate.api.base import KubeModel
from headgate.api.described import descriptions


class Base(KubeModel):
    """A model that another is made from."""

    first: str = ""
    """What comes
    before all."""
    silent: int = 0


class Derived(Base):
    """It has what its base has, and says more of it."""

    second: str = ""
    """What comes after."""


def test_each_field_is_described_by_what_is_below_it() -> None:
    assert _of(Base) == {"first": "What comes\nbefore all."}


def test_what_a_model_is_made_from_describes_its_fields_too() -> None:
    assert _of(Derived) == {"first": "What comes\nbefore all.", "second": "What comes after."}


def test_a_schema_tells_what_fields_are_for() -> None:
    properties = Derived.model_json_schema()["properties"]

    assert {name: member.get("description") for name, member in properties.items()} == {
        "first": "What comes\nbefore all.",
        "silent": None,
        "second": "What comes after.",
    }


def _of(model: type) -> dict[str, str]:
    return {name: text for name, text in descriptions(model).items() if name in ("first", "silent", "second")}
