"""A claim for the logs of attempts, which all pods of Headgate mount: each of them then shows every log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hack.cluster.provider import ClusterProvider
from hack.kube import Kube
from hack.record import NAMESPACE

CLAIM = "headgate-objects"
USER = 65532
"""As whom and in whose group Headgate's pods run. ``fsGroup`` does not change a folder of a node: it is made theirs."""
WITHIN = "objects"
"""Where in it the chart keeps objects. The gateway mounts this alone, and the kubelet would make it as root's."""
OURS = {"app.kubernetes.io/managed-by": "quick-start"}
_SIZE = "1Gi"
_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_SHARING = (
    "cephfs.csi.ceph.com",
    "driver.longhorn.io",
    "efs.csi.aws.com",
    "file.csi.azure.com",
    "filestore.csi.storage.gke.io",
    "nfs.csi.k8s.io",
    "nfs-subdir-external-provisioner",
)
"""How the names of provisioners end whose volumes several nodes write to. The API does not tell which ones do."""


def claim(kube: Kube, provider: ClusterProvider) -> str | None:
    """The claim's name, there once this returns; None where the cluster has nothing for it.

    In a cluster of ours it is of a folder of its only node, which goes with the cluster. Elsewhere the cluster is
    asked for it, where what it makes by default can be written to from several nodes.
    """
    folder = provider.folder(USER, WITHIN)
    if folder is not None:
        _let_go(kube)
        kube.apply(volume_of(folder))
        kube.apply(_claim({"storageClassName": "", "volumeName": CLAIM}))
        return CLAIM
    found = kube.find("persistentvolumeclaim", CLAIM, f"--namespace={NAMESPACE}")
    if found is not None:
        return CLAIM if OURS.items() <= (found["metadata"].get("labels") or {}).items() else None
    shared = shared_class(kube.get("storageclasses")["items"])
    if shared is None:
        return None
    kube.apply(_claim({"storageClassName": shared}))
    return CLAIM


def volume_of(folder: Path) -> dict[str, Any]:
    """The volume that is that folder, for our claim and no other."""
    reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": NAMESPACE, "name": CLAIM}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": CLAIM, "labels": OURS},
        "spec": {
            "capacity": {"storage": _SIZE},
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "claimRef": reference,
            "hostPath": {"path": str(folder), "type": "Directory"},
        },
    }


def shared_class(classes: list[dict[str, Any]]) -> str | None:
    """The default StorageClass, where volumes of it can be written to from several nodes."""
    for each in classes:
        is_default = (each["metadata"].get("annotations") or {}).get(_DEFAULT) == "true"
        if is_default and each["provisioner"].endswith(_SHARING):
            return str(each["metadata"]["name"])
    return None


def _claim(where: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": NAMESPACE, "labels": OURS},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": _SIZE}}, **where},
    }


def _let_go(kube: Kube) -> None:
    """A volume whose claim was deleted binds to no other. What its folder holds stays."""
    found = kube.find("persistentvolume", CLAIM)
    if found is not None and found.get("status", {}).get("phase") == "Released":
        kube.kubectl("delete", "persistentvolume", CLAIM, "--timeout=60s")
