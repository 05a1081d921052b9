"""Strings with a form: names, quantities, durations."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, StringConstraints

from headgate.api.rules import IntOrString

DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63)]
"""An RFC 1123 label, as Kubernetes uses for namespaces."""

DnsSubdomain = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)
]
"""An RFC 1123 subdomain, as Kubernetes uses for the names of most objects."""

QUANTITY_PATTERN = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)

Quantity = Annotated[
    str,
    StringConstraints(pattern=QUANTITY_PATTERN, min_length=1, max_length=64),
    BeforeValidator(
        lambda value: str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    ),
    IntOrString(),
]
"""A Kubernetes quantity such as ``500m``, ``2`` or ``1Gi``."""

Duration = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,9}(ms|s|m|h|d))+$", min_length=2, max_length=32)]
"""A length of time such as ``30s``, ``5m`` or ``1h30m``."""

EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", min_length=1, max_length=128)]
"""The name of an environment variable."""
