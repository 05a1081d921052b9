"""The images that a containerd holds for Kubernetes."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from hack.image import full_name
from hack.shell import run, succeeds


class Images:
    """Asks and feeds the containerd behind one socket."""

    def __init__(self, socket: Path) -> None:
        """Names the socket; nothing is asked yet."""
        self._ctr = ["ctr", f"--address={socket}", "--namespace=k8s.io"]

    def answers(self) -> bool:
        """Whether containerd is there to be asked."""
        return succeeds(*self._ctr, "version")

    def digests(self) -> dict[str, str]:
        """The manifest behind every name; Kubernetes also names each image by the digest of its configuration."""
        lines = run(*self._ctr, "images", "list").splitlines()[1:]
        return {words[0]: words[2] for words in map(str.split, lines)}

    def load(self, archive: Path) -> list[str]:
        """Takes in every image of an archive and tells their names."""
        said = run(*self._ctr, "images", "import", archive).splitlines()
        return [line.split()[1] for line in said if line.startswith("unpacking ")]

    def holds(self, archive: Path, tag: str) -> bool:
        """Whether this tag already means the image in a docker archive, so that nothing need be read again."""
        digests = self.digests()
        held = digests.get(full_name(tag))
        return held is not None and held == digests.get(f"sha256:{_configuration(archive, tag)}")


def _configuration(archive: Path, tag: str) -> str | None:
    """The digest of the image's configuration, which `docker save` and buildah name the file after."""
    with tarfile.open(archive) as opened:
        if "manifest.json" not in opened.getnames():
            return None
        manifest = opened.extractfile("manifest.json")
        images = json.load(manifest) if manifest else []
    for image in images:
        if {tag, full_name(tag)} & set(image["RepoTags"] or ()):
            return Path(image["Config"]).name.removesuffix(".json")
    return None
