from __future__ import annotations

import pytest

from hack.install import Database, image_values

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("reference", "repository", "tag", "digest"),
    [
        ("headgate:1", "headgate", "1", ""),
        ("headgate", "headgate", "", ""),
        ("registry.example:5000/team/headgate", "registry.example:5000/team/headgate", "", ""),
        ("registry.example:5000/team/headgate:1.2", "registry.example:5000/team/headgate", "1.2", ""),
        (f"registry.example/headgate:1@{DIGEST}", "registry.example/headgate", "1", DIGEST),
        (f"registry.example/headgate@{DIGEST}", "registry.example/headgate", "", DIGEST),
    ],
)
def test_an_image_s_name_is_taken_apart(reference: str, repository: str, tag: str, digest: str) -> None:
    parts = image_values(reference)

    assert (parts["repository"], parts["tag"], parts["digest"]) == (repository, tag, digest)


def test_database_urls_never_show() -> None:
    assert "secret" not in repr(Database("postgresql://a:secret@b/c", "postgresql://d:secret@b/c"))
