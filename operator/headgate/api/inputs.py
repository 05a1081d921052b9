"""The values that a run is given, and those that it gives."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.rules import Form, FreeForm

INPUT_NAME_PATTERN = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
INPUT_NAME_MESSAGE = "use letters, digits and '_' only in the name of an input, and no digit first"

InputName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=63),
    Form(pattern=INPUT_NAME_PATTERN, message=INPUT_NAME_MESSAGE),
]
"""Names an input of a workflow."""


class Input(KubeModel):
    """A value that a run is given."""

    name: InputName
    """Name, read as ``inputs.<name>`` in expressions."""
    description: Annotated[str, StringConstraints(max_length=1024)] = ""
    """What the value means."""
    required: bool = False
    """Whether a run that does not give it, and for which there is no default, is refused."""
    default: Annotated[Any, FreeForm()] = None
    """The value where a run gives none; any JSON."""
    json_schema: Annotated[dict[str, Annotated[Any, FreeForm()]], Field(max_length=64, alias="schema")] = Field(
        default_factory=dict
    )
    """JSON Schema (draft 2020-12, without references) that the value must satisfy; anything when empty."""


class Output(KubeModel):
    """A value that a run gives when it has succeeded."""

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=63),
        Form(pattern=INPUT_NAME_PATTERN, message=INPUT_NAME_MESSAGE.replace("an input", "an output")),
    ]
    """Name, read as ``nodes.<id>.output.<name>`` by a workflow that calls this one."""
    expression: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """A CEL expression over ``inputs`` and ``nodes.<id>.output``; what did not run has no output."""
