from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hack import install, volume
from hack.cluster.existing import ExistingContext
from hack.cluster.kind import KindCluster
from hack.cluster.local import LocalCluster
from hack.kube import Kube
from tests.unit.hack.test_kind import calls as calls  # noqa: PLC0414 - a fixture

DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


class FakeCluster(Kube):
    """What was applied and deleted, and what is found."""

    def __init__(self, **found: Any) -> None:
        super().__init__(Path("none"))
        object.__setattr__(self, "found", found)
        object.__setattr__(self, "applied", [])
        object.__setattr__(self, "calls", [])

    found: dict[str, Any]
    applied: list[dict[str, Any]]
    calls: list[tuple[str, ...]]

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        self.calls.append(arguments)
        if arguments[0] == "get":
            found = self.found.get(arguments[2] if arguments[2] != "--ignore-not-found" else arguments[3])
            return json.dumps(found) if found is not None else ""
        if arguments[0] == "apply":
            self.applied.append(json.loads(stdin or "{}"))
        return ""

    def kinds(self) -> list[str]:
        return [manifest["kind"] for manifest in self.applied]


class Node(ExistingContext):
    """A cluster of ours, with that folder."""

    def folder(self, user: int, within: str) -> Path | None:
        return Path(f"/of/{user}/with/{within}")


def a_class(name: str, provisioner: str, **annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": annotations}, "provisioner": provisioner}


def test_a_cluster_of_ours_gives_a_folder_that_all_pods_share(tmp_path: Path) -> None:
    kube = FakeCluster()

    name = volume.claim(kube, Node("own", tmp_path))

    made, asked = kube.applied
    assert made["spec"]["hostPath"] == {"path": "/of/65532/with/objects", "type": "Directory"}
    assert made["spec"]["claimRef"]["name"] == asked["metadata"]["name"] == name == "headgate-objects"
    assert asked["spec"]["accessModes"] == made["spec"]["accessModes"] == ["ReadWriteMany"]
    # An empty class: a default one would make another volume.
    assert asked["spec"]["storageClassName"] == made["spec"]["storageClassName"] == ""


def test_a_volume_whose_claim_was_deleted_is_made_anew(tmp_path: Path) -> None:
    kube = FakeCluster(persistentvolume={"status": {"phase": "Released"}})

    volume.claim(kube, Node("own", tmp_path))

    assert ("delete", "persistentvolume", "headgate-objects", "--timeout=60s") in kube.calls


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([], None),
        ([a_class("disks", "ebs.csi.aws.com", **DEFAULT), a_class("files", "efs.csi.aws.com")], None),
        ([a_class("disks", "ebs.csi.aws.com"), a_class("files", "efs.csi.aws.com", **DEFAULT)], "files"),
        ([a_class("files", "rook-ceph.cephfs.csi.ceph.com", **DEFAULT)], "files"),
    ],
)
def test_elsewhere_only_a_default_class_that_is_shared_is_asked(
    tmp_path: Path, classes: list[dict[str, Any]], expected: str | None
) -> None:
    kube = FakeCluster(storageclasses={"items": classes})

    name = volume.claim(kube, ExistingContext("theirs", tmp_path))

    assert [manifest["spec"]["storageClassName"] for manifest in kube.applied] == ([expected] if expected else [])
    assert name == ("headgate-objects" if expected else None)


def test_a_claim_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    kube = FakeCluster(persistentvolumeclaim={"metadata": {"labels": {"app": "other"}}})

    assert volume.claim(kube, ExistingContext("theirs", tmp_path)) is None
    assert kube.applied == []


def test_the_folder_of_a_local_cluster_is_the_pods_alone_and_goes_with_it(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a local cluster needs root")
    folder = LocalCluster("shop", tmp_path).folder(volume.USER, "objects")

    assert folder == tmp_path / "volume"
    for each in (folder, folder / "objects"):
        told = each.stat()
        assert (told.st_uid, told.st_gid, told.st_mode & 0o777) == (volume.USER, volume.USER, 0o700)


def test_the_folder_of_kind_is_in_its_node(tmp_path: Path, calls: Path) -> None:
    folder = KindCluster("shop", tmp_path / "state").folder(volume.USER, "objects")

    said = f"docker exec shop-control-plane install -d -m 0700 -o 65532 -g 65532 {folder} {folder}/objects"
    assert said in calls.read_text().splitlines()


def test_the_folder_within_is_the_chart_s() -> None:
    assert f"url: file:///var/lib/headgate/{volume.WITHIN}\n" in (install.CHART / "values.yaml").read_text()


def test_the_user_is_that_of_the_chart_s_pods() -> None:
    helpers = (install.CHART / "templates" / "_helpers.tpl").read_text()

    assert f"runAsUser: {volume.USER}\n" in helpers
    assert f"runAsGroup: {volume.USER}\n" in helpers
