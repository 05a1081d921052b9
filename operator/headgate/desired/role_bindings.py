"""The RoleBindings of a namespace: members and what they may do.

The roles are the cluster roles ``headgate-owner``, ``headgate-editor`` and ``headgate-viewer``, which come with the
installation. The operator needs ``bind`` on these three names only: were they roles of its own making in each
namespace, the API server would ask that the operator itself may do all that they allow, reading Secrets included, in
every namespace.
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

_RBAC = ROLE_BINDING.group


def role_bindings(context: NamespaceContext) -> tuple[Manifest, ...]:
    """One RoleBinding for each role that somebody has; a subject that has several roles is in all of them."""
    members = context.workspace.spec.members
    by_role = {role: distinct_subjects(member for member in members if member.role is role) for role in Role}
    return tuple(
        _binding(context, f"headgate-{role.value}", subjects) for role, subjects in by_role.items() if subjects
    )


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
