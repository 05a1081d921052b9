"""The RoleBindings of a namespace: members and what they may do, and the gateway, which reads logs.

The roles are cluster roles that come with the installation. For members they are ``headgate-owner``,
``headgate-editor`` and ``headgate-viewer``, and the operator needs ``bind`` on these three names only: were they roles
of its own making in each namespace, the API server would ask that the operator itself may do all that they allow,
reading Secrets included, in every namespace. What ``headgate-log-reader`` allows, the operator may itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.api.workspace import Role
from headgate.desired.keys import ROLE_BINDING
from headgate.desired.manifest import Manifest, child

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headgate.api.workspace import Member, Subject
    from headgate.desired.context import NamespaceContext

LOG_READER = "headgate-log-reader"
"""The role of whoever finds pods and reads their logs."""
_RBAC = ROLE_BINDING.group


def role_bindings(context: NamespaceContext) -> tuple[Manifest, ...]:
    """One RoleBinding for each role that somebody has; a subject that has several roles is in all of them.

    Where the gateway is to show what running attempts write, it has one too.
    """
    members = context.workspace.spec.members
    by_role = {role: distinct_subjects(member for member in members if member.role is role) for role in Role}
    bound = {f"headgate-{role.value}": subjects for role, subjects in by_role.items()}
    if context.facts.log_reader is not None:
        reader = {"kind": "ServiceAccount", "name": context.facts.log_reader}
        bound[LOG_READER] = [{**reader, "namespace": context.facts.operator_namespace}]
    return tuple(_binding(context, name, subjects) for name, subjects in bound.items() if subjects)


def distinct_subjects(members: Iterable[Member]) -> list[dict[str, str]]:
    """The members as subjects of a binding, each once."""
    subjects = [subject for member in members if (subject := _subject(member.subject)) is not None]
    return [subject for index, subject in enumerate(subjects) if subject not in subjects[:index]]


def _binding(context: NamespaceContext, name: str, subjects: list[dict[str, str]]) -> Manifest:
    return child(
        ROLE_BINDING,
        name=name,
        namespace=context.namespace,
        workspace=context.owner,
        roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
        subjects=subjects,
    )


def _subject(subject: Subject) -> dict[str, str] | None:
    if subject.kind != "ServiceAccount":
        return {"apiGroup": _RBAC, "kind": subject.kind, "name": subject.name}
    if subject.namespace is None:
        return None
    return {"kind": subject.kind, "name": subject.name, "namespace": subject.namespace}
