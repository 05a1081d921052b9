"""What every custom resource has in common: naming, metadata, conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from headgate.api.described import descriptions
from headgate.api.rules import ListMap, Rule, with_rules

GROUP = "headgate.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
CATEGORY = "headgate"
WIRE = ConfigDict(
    alias_generator=to_camel,
    populate_by_name=True,
    extra="forbid",
    frozen=True,
)
"""How everything is that others write or read: camelCase, with nothing in it that is not known."""


class KubeModel(BaseModel):
    """A part of a custom resource: immutable, camelCase on the wire, unknown fields refused."""

    model_config = WIRE

    rules: ClassVar[tuple[Rule, ...]] = ()
    """What the API server checks about this part of an object."""

    def to_wire(self) -> dict[str, Any]:
        """The JSON form that Kubernetes stores: camelCase keys, absent instead of null."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        properties = schema.get("properties", {})
        described = descriptions(cls)
        for name, info in cls.model_fields.items():
            member = properties.get(info.alias or name)
            if member is not None and name in described:
                member.setdefault("description", described[name])
            if member is not None and info.default_factory is not None:
                value = info.get_default(call_default_factory=True, validated_data={})
                member["default"] = {} if isinstance(value, BaseModel) else value
            if member is not None and info.exclude_if is not None:
                member.pop("default", None)
        return with_rules(schema, cls.rules)


@dataclass(frozen=True)
class PrinterColumn:
    """A column of ``kubectl get``; columns of priority 1 show with ``-o wide`` only."""

    name: str
    json_path: str
    type: Literal["string", "integer", "date", "boolean", "number"] = "string"
    description: str = ""
    priority: Literal[0, 1] = 0


@dataclass(frozen=True)
class ResourceKind:
    """How a kind is named and shown in the Kubernetes API."""

    kind: str
    plural: str
    short_name: str
    scope: Literal["Cluster", "Namespaced"]
    columns: tuple[PrinterColumn, ...] = field(default=())

    @property
    def singular(self) -> str:
        """The lower-case singular name."""
        return self.kind.lower()


class ConditionStatus(StrEnum):
    """The three values of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


ConditionReason = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", max_length=128)]
"""A stable CamelCase word for programs; the same form as in metav1.Condition."""


class Condition(KubeModel):
    """One observation about an object, in the form of metav1.Condition."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """What is observed: Ready, Reconciling or Stalled (kstatus), or a kind's own."""
    status: ConditionStatus
    """True, False or Unknown."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The metadata.generation that this condition speaks of."""
    last_transition_time: datetime
    """When the status last changed."""
    reason: ConditionReason
    """Why, as one stable CamelCase word for programs."""
    message: Annotated[str, StringConstraints(max_length=2048)] = ""
    """Why, and what to do about it, for people."""


class Status(KubeModel):
    """What every status holds."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The metadata.generation that the operator last acted on."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(max_length=16),
        ListMap("type"),
    ] = ()
    """Ready, Reconciling and Stalled in kstatus form, and the kind's own conditions."""


class Metadata(BaseModel):
    """The part of Kubernetes' metadata that Headgate reads; the rest is ignored, never written back."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    name: str
    namespace: str | None = None
    uid: str = ""
    generation: int = 1
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()


class CustomResource(BaseModel):
    """A whole object as the API server serves it. Subclasses add ``spec`` and ``status``."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    resource: ClassVar[ResourceKind]
    rules: ClassVar[tuple[Rule, ...]] = ()
    """What the API server checks about the object as a whole, its name included."""

    metadata: Metadata

    @property
    def key(self) -> str:
        """``namespace/name``, or ``name`` of a cluster-scoped object."""
        return f"{self.metadata.namespace}/{self.metadata.name}" if self.metadata.namespace else self.metadata.name
