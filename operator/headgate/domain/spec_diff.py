"""What changed between two versions of a workflow, for people."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from headgate.api.workflow import WorkflowSpec


def difference(old: WorkflowSpec, new: WorkflowSpec, old_name: str, new_name: str) -> str:
    """A unified diff of two specs as YAML, as short as people write them; nothing where they are the same."""
    before, after = (text(spec).splitlines(keepends=True) for spec in (old, new))
    return "".join(difflib.unified_diff(before, after, fromfile=old_name, tofile=new_name))


def text(spec: WorkflowSpec) -> str:
    """A spec as YAML, without what is left to a default."""
    said = spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return str(yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=120))
