"""What a workspace's pods may reach, and who may reach them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.rules import Rule, exactly_one
from headgate.api.scalars import DnsLabel


class Port(KubeModel):
    """A port, or a range of ports."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.endPort) || self.endPort >= self.port",
            message="endPort ends the range that port begins: raise endPort or lower port",
        ),
    )

    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    """TCP, UDP or SCTP."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """The port, or the first of a range."""
    end_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """The last port of the range."""


Cidr = Annotated[
    str,
    StringConstraints(min_length=1, max_length=43),
    Rule(cel="isCIDR(self)", message="write a range of addresses such as 203.0.113.0/24 or 2001:db8::/32"),
    Rule(
        cel="!isCIDR(self) || cidr(self) == cidr(self).masked()",
        message="write the range by its first address, such as 203.0.113.0/24 for 203.0.113.7/24",
    ),
]
"""A range of IPv4 or IPv6 addresses, written by its first one."""

METADATA_NETWORKS = (
    *("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32"),
    "168.63.129.16/32",
)
"""Where clouds hand out the credentials of the machine: link-local addresses, and what some clouds use besides."""

_NO_METADATA = Rule(
    cel="self.all(r, !has(r.cidr) || !isCIDR(r.cidr) || !("
    + " || ".join(f"cidr('{network}').containsCIDR(r.cidr)" for network in METADATA_NETWORKS)
    + "))",
    message="remove the link-local or cloud metadata address: it gives out the credentials of the node, so it is never "
    "reachable",
)

Ports = Annotated[tuple[Port, ...], Field(max_length=32)]


class EgressRule(KubeModel):
    """A destination allowed beyond the default deny: exactly one of ``cidr``, ``namespace`` and ``internet``."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=exactly_one(("cidr", "namespace", "internet")),
            message="set exactly one of cidr, namespace or internet",
        ),
        Rule(
            cel="!has(self.internet) || self.internet",
            message="remove the rule instead of setting internet to false: what no rule allows is denied",
            at=".internet",
        ),
    )

    cidr: Cidr | None = None
    """Addresses, such as ``203.0.113.0/24``. The API server and the metadata addresses in it stay closed."""
    namespace: DnsLabel | None = None
    """All pods of this namespace, which must be one of the same workspace's. It needs an ingress rule there besides."""
    internet: bool | None = None
    """True for all public addresses: no private range (RFC 1918, RFC 4193, RFC 6598), no link-local or reserved one."""
    ports: Ports = ()
    """Allowed ports; all of them when empty."""


class IngressRule(KubeModel):
    """A source that is allowed beyond the default deny: exactly one of ``cidr`` and ``namespace``."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(cel=exactly_one(("cidr", "namespace")), message="set exactly one of cidr or namespace"),
    )

    cidr: Cidr | None = None
    """Addresses, such as ``203.0.113.0/24``."""
    namespace: DnsLabel | None = None
    """All pods of this namespace, which must be one of the same workspace's."""
    ports: Ports = ()
    """Allowed ports; all of them when empty."""


class Network(KubeModel):
    """What may be reached, and from where, beyond the default deny."""

    egress: Annotated[tuple[EgressRule, ...], Field(max_length=64), _NO_METADATA] = ()
    """Destinations that pods of the workspace may connect to. Metadata addresses and the API server stay closed."""
    ingress: Annotated[tuple[IngressRule, ...], Field(max_length=64)] = ()
    """Sources that may connect to pods of the workspace."""
