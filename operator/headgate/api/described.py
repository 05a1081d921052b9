"""What the fields of a model are for: the docstrings below them.

They are read from the source when a document is to tell of them. Read when the models are made, as pydantic does it,
they took a fifth of the time in which every program of ours begins.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import cache
from itertools import pairwise


@cache
def descriptions(model: type) -> Mapping[str, str]:
    """The docstrings by the names of fields; of those of a class that it is made from, too."""
    return {name: text for each in reversed(model.__mro__) for name, text in _own(each).items()}


@cache
def _own(model: type) -> Mapping[str, str]:
    try:
        source = inspect.getsource(model)
    except (OSError, TypeError):
        # It was not written down anywhere, or not in Python.
        return {}
    [definition] = ast.parse(textwrap.dedent(source)).body
    if not isinstance(definition, ast.ClassDef):
        return {}
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
