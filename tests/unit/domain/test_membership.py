from __future__ import annotations

import pytest

from headgate.api.members import Role
from headgate.domain.membership import role_of
from tests.builders import a_workspace

MEMBERS = (
    a_workspace()
    .with_member("viewer", "Group", "staff")
    .with_member("editor", "User", "alice")
    .with_member("owner", "Group", "leads")
    .with_member("editor", "ServiceAccount", "ci", "acme")
    .model()
    .spec.members
)


@pytest.mark.parametrize(
    ("username", "groups", "role"),
    [
        ("alice", [], Role.EDITOR),
        ("bob", ["staff"], Role.VIEWER),
        ("alice", ["staff", "leads"], Role.OWNER),
        ("bob", ["others"], None),
        ("staff", [], None),
        ("bob", ["alice"], None),
        ("system:serviceaccount:acme:ci", [], Role.EDITOR),
        ("system:serviceaccount:other:ci", [], None),
        ("ci", [], None),
        ("", [], None),
    ],
)
def test_the_highest_role_of_those_that_name_somebody_counts(username: str, groups: list[str], role: Role) -> None:
    assert role_of(MEMBERS, username, groups) is role
