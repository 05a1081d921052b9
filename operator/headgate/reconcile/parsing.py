"""Reading custom resources that may be older or odder than the schema of today."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from headgate.api.base import CustomResource
from headgate.cluster.client import Object

R = TypeVar("R", bound=CustomResource)

_PROBLEMS = 3


class InvalidResource(Exception):  # noqa: N818 - reads as what it says
    """The object's spec is not what its schema says; the message names the fields and what is wrong with them."""


def parse(model: type[R], live: Object) -> R:
    """The object as a model. Raises ``InvalidResource`` for a bad spec; a bad status is read as none."""
    try:
        return model.model_validate(live)
    except ValidationError:
        bare = {key: value for key, value in live.items() if key != "status"}
        try:
            return model.model_validate(bare)
        except ValidationError as error:
            raise InvalidResource(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False)]
    more = f" (and {len(problems) - _PROBLEMS} more)" if len(problems) > _PROBLEMS else ""
    return "; ".join(problems[:_PROBLEMS]) + more
