"""Values that only a runner is given, and nobody reads in what names them."""

from __future__ import annotations

from typing import ClassVar

from headgate.api.base import KubeModel
from headgate.api.container import SecretKey, SecretKeyRef
from headgate.api.rules import Rule, exactly_one
from headgate.api.scalars import DnsSubdomain


class CredentialKeyRef(KubeModel):
    """One value of a credential of the Workspace."""

    name: DnsSubdomain
    """Name of the credential."""
    key: SecretKey
    """Key of the value in the credential."""


class HiddenValue(KubeModel):
    """Where a value comes from that only the runner is given."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=exactly_one(("secretKeyRef", "credentialKeyRef")),
            message="set either secretKeyRef or credentialKeyRef",
        ),
    )

    secret_key_ref: SecretKeyRef | None = None
    """A key of a Secret. Only the reference is kept by Headgate; the kubelet reads the value."""
    credential_key_ref: CredentialKeyRef | None = None
    """A value of a credential; the runner is given it for the attempt, and each time is recorded."""
