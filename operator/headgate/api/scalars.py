"""Strings with a form: names, quantities, durations."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from headgate.api.rules import Form, IntOrString, Rule

LABEL_PATTERN = r"^[a-z0-9]+(-+[a-z0-9]+)*$"
SUBDOMAIN_PATTERN = r"^[a-z0-9]+((-+|\.)[a-z0-9]+)*$"
LABEL_MESSAGE = "use lower-case letters, digits and '-' only, with a letter or digit at both ends"

DnsLabel = Annotated[
    str,
    StringConstraints(min_length=1, max_length=63),
    Form(pattern=LABEL_PATTERN, message=LABEL_MESSAGE),
]
"""An RFC 1123 label, as Kubernetes uses for namespaces."""

DnsSubdomain = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253),
    Form(
        pattern=SUBDOMAIN_PATTERN,
        message="use lower-case letters, digits, '-' and '.' only, with a letter or digit at both ends of each part",
    ),
]
"""An RFC 1123 subdomain, as Kubernetes uses for the names of most objects."""

QUANTITY_PATTERN = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$"

Quantity = Annotated[
    str,
    StringConstraints(pattern=QUANTITY_PATTERN, min_length=1, max_length=64),
    BeforeValidator(
        lambda value: str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    ),
    IntOrString(),
]
"""A Kubernetes quantity such as ``500m``, ``2`` or ``1Gi``."""

_IS_NEGATIVE = "(type(self[k]) == int ? self[k] < 0 : self[k] < '0')"
"""Strings are compared with a constant, not parsed, for the reason that ``Rule`` gives: signs sort before digits."""

NOT_NEGATIVE = Rule(
    cel=f"!self.exists(k, {_IS_NEGATIVE})",
    message="write amounts of zero or more that begin with a digit, such as 500m, 2 or 1Gi",
    message_cel=f"""'write ' + self.filter(k, {_IS_NEGATIVE})[0]
        + ' as an amount of zero or more that begins with a digit, such as 500m, 2 or 1Gi'""",
)

EXTENDED_RESOURCE = r"[a-z0-9][-a-z0-9.]*/[A-Za-z0-9][-_.A-Za-z0-9]*"
HUGE_PAGES = r"hugepages-[0-9]+[KMG]i"
CONTAINER_RESOURCE = rf"^(cpu|memory|ephemeral-storage|{HUGE_PAGES}|{EXTENDED_RESOURCE})$"

ContainerAmounts = Annotated[
    dict[str, Quantity],
    Field(max_length=16),
    NOT_NEGATIVE,
    Rule(
        cel=f"self.all(k, k.matches(r'{CONTAINER_RESOURCE}'))",
        message="a container has amounts of cpu, memory, ephemeral-storage, hugepages-<size> or <domain>/<resource>",
        message_cel=f"""'a container has no ' + self.filter(k, !k.matches(r'{CONTAINER_RESOURCE}'))[0]
            + '; use cpu, memory, ephemeral-storage, hugepages-<size> or <domain>/<resource>'""",
    ),
]
"""Amounts by resource, in the terms of a container: ``cpu``, ``memory`` and others."""

Duration = Annotated[
    str,
    StringConstraints(min_length=2, max_length=32),
    Form(
        pattern=r"^([0-9]{1,3}d)?([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,7}s)?([0-9]{1,9}ms)?$",
        message="write a duration such as 30s, 5m, 1h30m or 2d: at most 999d, 9999h, 99999m, 9999999s and 999999999ms, "
        "the larger unit first",
    ),
]
"""A length of time such as ``30s``, ``5m`` or ``1h30m``, from nothing to about five years."""

PositiveDuration = Annotated[
    Duration,
    Rule(cel="self.matches('[1-9]')", message="write a duration that is longer than zero, such as 30s, 5m or 1h30m"),
]
"""A length of time longer than nothing."""

EnvName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128),
    Form(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        message="use letters, digits and '_' only, and no digit first",
    ),
]
"""The name of an environment variable."""
