"""What a workspace's pods may be made of and where they may run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.rules import Form, ListSet, Rule
from headgate.api.scalars import DnsSubdomain


class PodSecurityLevel(StrEnum):
    """Levels of the Pod Security Standards that a workspace can have."""

    RESTRICTED = "restricted"
    BASELINE = "baseline"


Registry = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    Form(
        pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([-._]+[a-z0-9]+)*)*$",
        message="write a registry, with a path below it if need be, such as registry.example.com or ghcr.io/acme",
    ),
]
"""The beginning of images' names up to a ``/``: a registry such as ``registry.example.com``, or a path in it."""


class Images(KubeModel):
    """Which images may be used."""

    allowed_registries: Annotated[tuple[Registry, ...], Field(max_length=32), ListSet()] = ()
    """Registries, or paths in them, that images may come from; any when empty. Docker Hub is ``docker.io``."""
    pull_policy: Literal["Always", "IfNotPresent"] | None = None
    """Policy that every container must have; any when absent. Nodes of runs that say nothing get it."""


LABEL_KEY_PATTERN = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$"
_LABEL_KEY_MESSAGE = "write the key of a label, such as disktype or topology.kubernetes.io/zone"

LabelKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=317),
    Form(pattern=LABEL_KEY_PATTERN, message=_LABEL_KEY_MESSAGE),
]
LabelValue = Annotated[
    str,
    StringConstraints(max_length=63),
    Form(
        pattern=r"^([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?$",
        message="use letters, digits, '-', '_' and '.' only, with a letter or digit at both ends",
    ),
]


class Toleration(KubeModel):
    """A taint of nodes that pods of the workspace may tolerate; those of runs do."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.operator != 'Exists' || !has(self.value)",
            message="remove value: with operator Exists every value is tolerated",
            reason="FieldValueForbidden",
            at=".value",
        ),
    )

    key: LabelKey
    """Key of the taint."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """Equal compares the value; Exists tolerates every value of the key."""
    value: LabelValue | None = None
    """Value of the taint; empty when absent."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    """Effect of the taint."""


class Scheduling(KubeModel):
    """Where pods run, and with what precedence."""

    node_selector: Annotated[
        dict[str, LabelValue],
        Field(max_length=16),
        Rule(
            cel=f"self.all(k, k.size() <= 317 && k.matches(r'{LABEL_KEY_PATTERN}'))",
            message=_LABEL_KEY_MESSAGE,
        ),
    ] = Field(default_factory=dict)
    """Labels that a node must have. Every pod of the workspace must select by them; those of runs do."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints that pods may tolerate, besides those that Kubernetes itself sets (``node.kubernetes.io/...``)."""
    priority_classes: Annotated[tuple[DnsSubdomain, ...], Field(max_length=16), ListSet()] = ()
    """PriorityClasses that pods may name; pods of runs get the first one. None when empty."""
    runtime_class: DnsSubdomain | None = None
    """RuntimeClass that every pod must name, such as a sandbox; when absent pods may name none."""


class Storage(KubeModel):
    """Which volumes may be claimed."""

    allowed_classes: Annotated[tuple[DnsSubdomain, ...], Field(max_length=32), ListSet()] = ()
    """StorageClasses that volume claims may name; any when empty."""


class Exposure(KubeModel):
    """How services may be exposed to the outside."""

    allowed_classes: Annotated[tuple[DnsSubdomain, ...], Field(max_length=32), ListSet()] = ()
    """IngressClasses that Ingresses may name; any when empty."""


class Residency(KubeModel):
    """Where data may be processed."""

    regions: Annotated[tuple[LabelValue, ...], Field(max_length=8), ListSet()] = ()
    """Regions, by the label ``topology.kubernetes.io/region`` of nodes, in which every pod must run; any when empty."""
