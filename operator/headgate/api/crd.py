"""CustomResourceDefinitions, made from the models. Pure: the same models always give the same definitions."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from headgate.api.base import CATEGORY, GROUP, VERSION, CustomResource, PrinterColumn
from headgate.api.described import descriptions
from headgate.api.quota import Quota
from headgate.api.rules import with_rules
from headgate.api.schema import structural_schema
from headgate.api.workflow import Workflow
from headgate.api.workflow_run import WorkflowRun
from headgate.api.workspace import Workspace

KINDS: tuple[type[CustomResource], ...] = (Quota, Workspace, Workflow, WorkflowRun)
"""Every kind of the group, in the order in which they build on each other."""

_API_VERSION = {
    "description": f"Group and version of this object: {GROUP}/{VERSION}.",
    "type": "string",
}


def custom_resource_definition(model: type[CustomResource]) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind, ready for ``kubectl apply``."""
    resource = model.resource
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{resource.plural}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "headgate"},
        },
        "spec": {
            "group": GROUP,
            "scope": resource.scope,
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.singular,
                "shortNames": [resource.short_name],
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in resource.columns],
                    "schema": {"openAPIV3Schema": object_schema(model)},
                }
            ],
        },
    }


def object_schema(model: type[CustomResource]) -> dict[str, Any]:
    """The structural schema of a whole object."""
    spec = _part(model, "spec")
    if not model.model_fields["spec"].is_required():
        spec["default"] = {}
    schema = {
        "description": (model.__doc__ or "").replace("``", "`"),
        "type": "object",
        "properties": {
            "apiVersion": _API_VERSION,
            "kind": {"description": f"Kind of this object: {model.resource.kind}.", "type": "string"},
            # The API server describes metadata itself and refuses a description here. Rules may report at the name
            # only when it is there.
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 253}}},
            "spec": spec,
            "status": _part(model, "status", observed=True),
        },
    }
    if model.model_fields["spec"].is_required():
        schema["required"] = ["spec"]
    return with_rules(schema, model.rules)


def _part(model: type[CustomResource], name: str, *, observed: bool = False) -> dict[str, Any]:
    field = model.model_fields[name]
    part = field.annotation
    if not (isinstance(part, type) and issubclass(part, BaseModel)):
        raise TypeError(f"{model.__name__}.{name} is not a model")
    return structural_schema(part, observed=observed) | {"description": descriptions(model).get(name, "")}


def _column(column: PrinterColumn) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.json_path,
        "description": column.description,
    }
    return result | ({"priority": column.priority} if column.priority else {})
