"""Which role somebody has in a workspace."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from headgate.api.members import Member, Role, Subject

_HIGHEST_FIRST = (Role.OWNER, Role.EDITOR, Role.VIEWER)


def role_of(members: Iterable[Member], username: str, groups: Collection[str]) -> Role | None:
    """The highest role that the members give to a user of these groups, as the API server names them; None for none."""
    roles = {member.role for member in members if _is(member.subject, username, groups)}
    return next((role for role in _HIGHEST_FIRST if role in roles), None)


def _is(subject: Subject, username: str, groups: Collection[str]) -> bool:
    match subject.kind:
        case "User":
            return subject.name == username
        case "Group":
            return subject.name in groups
        case "ServiceAccount":
            return username == f"system:serviceaccount:{subject.namespace}:{subject.name}"
