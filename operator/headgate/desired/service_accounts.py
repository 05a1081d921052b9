"""The ServiceAccounts of a namespace: none of them lets a pod speak to the Kubernetes API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.desired.keys import SERVICE_ACCOUNT
from headgate.desired.manifest import Manifest, child

if TYPE_CHECKING:
    from headgate.desired.context import NamespaceContext

RUN_SERVICE_ACCOUNT = "headgate-run"
"""What the pods of runs run as. Nothing is bound to it."""


def service_accounts(context: NamespaceContext) -> tuple[Manifest, ...]:
    """The account of runs, and the namespace's ``default``; neither puts its token into pods."""
    return tuple(
        child(
            SERVICE_ACCOUNT,
            name=name,
            namespace=context.namespace,
            workspace=context.owner,
            automountServiceAccountToken=False,
        )
        for name in ("default", RUN_SERVICE_ACCOUNT)
    )
