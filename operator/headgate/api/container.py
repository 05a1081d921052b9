"""What a container node runs: image, environment, files and compute, and nothing else of a pod."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.rules import Form, ListMap, Rule, exactly_one
from headgate.api.scalars import ContainerAmounts, DnsSubdomain, EnvName

SecretKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253),
    Form(pattern=r"^[-._a-zA-Z0-9]+$", message="use letters, digits, '-', '_' and '.' only"),
]
"""A key in a Secret, or in a credential."""


class SecretKeyRef(KubeModel):
    """One key of a Secret in the workflow's namespace."""

    name: DnsSubdomain
    """Name of the Secret."""
    key: SecretKey
    """Key in the Secret."""


class EnvValueFrom(KubeModel):
    """Where the value of an environment variable comes from."""

    secret_key_ref: SecretKeyRef
    """A key of a Secret. Only the reference is kept by Headgate; the kubelet reads the value."""


VariableName = Annotated[
    EnvName,
    Rule(
        cel="!self.startsWith('HEADGATE_')",
        message="use another name: those that start with HEADGATE_ are set by Headgate",
    ),
]
"""Name of a variable that a workflow may set."""


class EnvVar(KubeModel):
    """An environment variable: a value, or a reference."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=exactly_one(("value", "valueFrom")),
            message="set either value (which may be empty) or valueFrom",
        ),
    )

    name: VariableName
    """Name of the variable. Names that start with HEADGATE_ are Headgate's own."""
    value: Annotated[str, StringConstraints(max_length=4096)] | None = None
    """The value; ``${{ ... }}`` in it is replaced by the value of the CEL expression."""
    value_from: EnvValueFrom | None = None
    """Where the value comes from, instead of ``value``."""


class Resources(KubeModel):
    """Compute of a container."""

    requests: ContainerAmounts = Field(default_factory=dict)
    """What is reserved."""
    limits: ContainerAmounts = Field(default_factory=dict)
    """What may be used at most."""


class Mount(KubeModel):
    """Files for a container from a ConfigMap or a Secret of the workflow's namespace, read-only."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(cel=exactly_one(("configMap", "secret")), message="set either configMap or secret"),
    )

    path: Annotated[
        str,
        StringConstraints(min_length=2, max_length=255),
        Form(
            pattern=r"^(/[^/:]+)+$",
            message="write an absolute directory such as /etc/data, without ':', '//' or a '/' at the end",
        ),
        Rule(cel="!self.matches('/[.][.]?(/|$)')", message="write the path without '.' and '..'"),
        Rule(
            cel="!self.matches('^/(proc|sys|dev)(/|$)')",
            message="use another directory: /proc, /sys and /dev are the system's",
        ),
    ]
    """Absolute directory in the container."""
    config_map: DnsSubdomain | None = None
    """Name of the ConfigMap whose keys become files."""
    secret: DnsSubdomain | None = None
    """Name of the Secret whose keys become files."""


IMAGE = (
    r"(([a-zA-Z0-9]([-.a-zA-Z0-9]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(:[0-9]+)?/)?"
    r"[a-z0-9]+([-._]+[a-z0-9]+)*(/[a-z0-9]+([-._]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][-.A-Za-z0-9_]*)?(@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]+)?"
)
"""What a reference to an image looks like, as a whole."""
_OR_WITH_EXPRESSIONS = rf"^({IMAGE}|.*[$][{{][{{].*)$"
"""Of one with expressions it is known what it is when they are evaluated: it is looked at then."""

Word = Annotated[str, StringConstraints(max_length=4096)]


class Container(KubeModel):
    """Runs a container to its end, as one Job per attempt."""

    image: Annotated[
        str,
        StringConstraints(min_length=1, max_length=512),
        Form(
            pattern=_OR_WITH_EXPRESSIONS,
            message="write a reference to an image, such as registry.example.com/team/app:1.2 or busybox@sha256:...",
        ),
    ]
    """The image, by tag or digest. ``${{ ... }}`` is replaced; what then is no image fails the node as InvalidImage."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When the kubelet pulls the image; what the Workspace says, or else IfNotPresent, when absent."""
    command: Annotated[tuple[Word, ...], Field(max_length=64)] = ()
    """Entrypoint; the image's own when empty. ``${{ ... }}`` is replaced."""
    args: Annotated[tuple[Word, ...], Field(max_length=64)] = ()
    """Arguments. ``${{ ... }}`` is replaced."""
    env: Annotated[
        tuple[EnvVar, ...],
        Field(max_length=64),
        ListMap("name"),
    ] = ()
    """Environment variables."""
    mounts: Annotated[
        tuple[Mount, ...],
        Field(max_length=16),
        ListMap("path"),
    ] = ()
    """Files from ConfigMaps and Secrets."""
    resources: Resources = Field(default_factory=Resources)
    """Requests and limits; the Quota's container defaults where they are silent."""
    run_as_user: Annotated[int, Field(ge=1, le=2_147_483_647)] = 65532
    """Numeric user id of the process; never root."""
