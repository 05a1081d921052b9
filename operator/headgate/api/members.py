"""Who may do what in a workspace."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from headgate.api.base import KubeModel
from headgate.api.rules import Rule
from headgate.api.scalars import SUBDOMAIN_PATTERN, DnsLabel


class Role(StrEnum):
    """What a member may do."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


class Subject(KubeModel):
    """Who a member is, in the terms of RBAC."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.kind != 'ServiceAccount' || has(self.__namespace__)",
            message="set the namespace of the ServiceAccount",
            reason="FieldValueRequired",
            at=".namespace",
        ),
        Rule(
            cel="self.kind == 'ServiceAccount' || !has(self.__namespace__)",
            message="remove namespace: only a ServiceAccount is in one",
            reason="FieldValueForbidden",
            at=".namespace",
        ),
        Rule(
            cel=f"self.kind != 'ServiceAccount' || self.name.matches(r'{SUBDOMAIN_PATTERN}')",
            message="write the name of the ServiceAccount alone, and its namespace as namespace",
            at=".name",
        ),
        Rule(
            cel="self.kind != 'User' || !self.name.startsWith('system:')",
            message="name a person: users that start with system: belong to the cluster; for a service account use "
            "kind ServiceAccount",
            at=".name",
        ),
        Rule(
            cel="self.kind != 'Group' || !self.name.startsWith('system:')",
            message="name a group of the tenant: groups that start with system: hold others, too; for service accounts "
            "use kind ServiceAccount",
            at=".name",
        ),
    )

    kind: Literal["User", "Group", "ServiceAccount"]
    """User, Group or ServiceAccount."""
    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """Name of the user, group or service account."""
    namespace: DnsLabel | None = None
    """Namespace of the service account; required for a ServiceAccount and forbidden otherwise."""


class Member(KubeModel):
    """A person, group or machine with a role in the workspace."""

    role: Role
    """owner manages workflows, runs and workloads; editor writes workflows and runs; viewer reads."""
    subject: Subject
    """Who."""
