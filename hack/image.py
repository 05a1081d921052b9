"""`python3 -m hack.image`: builds the container image, with or without a container engine.

The tag is made from the content of what goes in, so that an unchanged tree is never built twice and no
two contents share a tag.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hack import base_image, packages
from hack.cluster.paths import cache_root
from hack.shell import CommandError, run, succeeds

_REPOSITORY = "headgate"
_KEPT = 5
# A certificate authority of this network, needed to reach the package index and unwanted in the image.
_AUTHORITIES = ("PIP_CERT", "SSL_CERT_FILE")
_PASSED_ON = ("PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT")


@dataclass(frozen=True)
class Image:
    """An image in a file."""

    tag: str
    archive: Path


def build(dockerfile: Path = Path("Dockerfile"), context: Path = Path(), tag: str | None = None) -> Image:
    """The image of these sources, as a docker archive in the cache; built unless it is there."""
    image = _described(content_digest(dockerfile, context), tag)
    if image.archive.exists():
        image.archive.touch()
        return image
    folder = image.archive.parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as scratch:
        # Built from a copy: who edits meanwhile must not get another content under this digest.
        sources = Path(scratch, "sources")
        _copy_sources(dockerfile, context, sources)
        image = _described(content_digest(sources / "Dockerfile", sources), tag)
        output = Path(scratch, "image.tar")
        if docker_answers():
            _with_docker(sources, image.tag, output)
        else:
            packages.ensure("image")
            _with_buildah(sources, image.tag, output)
        output.rename(image.archive)
    _forget_old(folder)
    return image


def _described(digest: str, tag: str | None) -> Image:
    tag = tag or f"{_REPOSITORY}:{digest}"
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", tag)
    # A tag that somebody chose stays the same while the content changes.
    unique = name if digest in tag else f"{name}_{digest}"
    return Image(tag, cache_root() / "images" / f"{unique}.tar")


def docker_answers() -> bool:
    """Whether there is a Docker engine that we may use."""
    return shutil.which("docker") is not None and succeeds("docker", "info")


def content_digest(dockerfile: Path, context: Path) -> str:
    """Twelve digits that differ whenever the Dockerfile or a file that it copies does."""
    digest = hashlib.sha256(dockerfile.read_bytes())
    for path in _copied_files(dockerfile.read_text(), context):
        digest.update(f"\0{path.relative_to(context)}\0{path.stat().st_mode & 0o111:o}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _copied_files(dockerfile: str, context: Path) -> list[Path]:
    files: set[Path] = set()
    for line in dockerfile.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words or words[0].upper() not in {"COPY", "ADD"}:
            continue
        options = [word for word in words[1:] if word.startswith("--")]
        if any(option.startswith("--from=") for option in options):
            continue
        for pattern in words[1 + len(options) : -1]:
            files.update(_files(context, pattern))
    return sorted(files)


def _files(context: Path, pattern: str) -> Iterator[Path]:
    found = [context] if pattern in {".", "./"} else list(context.glob(pattern.strip("/")))
    if not found:
        raise ValueError(f"the Dockerfile copies {pattern}, which {context.resolve()} does not have")
    for path in found:
        below = path.rglob("*") if path.is_dir() else [path]
        yield from (file for file in below if file.is_file() and "__pycache__" not in file.parts)


def _copy_sources(dockerfile: Path, context: Path, target: Path) -> None:
    target.mkdir()
    shutil.copy2(dockerfile, target / "Dockerfile")
    for path in _copied_files(dockerfile.read_text(), context):
        copy = target / path.relative_to(context)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def _options() -> list[str]:
    """What `docker build` and `buildah build` alike are told about this machine's network."""
    options = [f"--build-arg={name}={os.environ[name]}" for name in _PASSED_ON if os.environ.get(name)]
    authority = next((Path(os.environ[name]) for name in _AUTHORITIES if os.environ.get(name)), None)
    if authority:
        # A secret is there only for the command that asks for it, and is in no layer.
        options.append(f"--secret=id=pip-cert,src={authority.resolve()}")
    return options


def _with_docker(sources: Path, tag: str, output: Path) -> None:
    _run_visibly(["docker", "build", *_options(), f"--tag={tag}", str(sources)], {"DOCKER_BUILDKIT": "1"})
    run("docker", "save", f"--output={output}", tag)


def _with_buildah(sources: Path, tag: str, output: Path) -> None:
    name = full_name(tag)
    settings = ["--isolation=chroot", "--layers", "--pull-never", f"--build-arg=BASE_IMAGE={_import_base()}"]
    _run_visibly([*_buildah("build"), *settings, *_options(), f"--tag={name}", str(sources)], {})
    run(*_buildah("push"), "--quiet", name, f"docker-archive:{output}:{name}")
    _forget_old_in_storage(name)


def full_name(tag: str) -> str:
    """The name under which container runtimes keep an image: with its registry, as `docker pull` reads it."""
    first, slash, _ = tag.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return tag
    return f"docker.io/{tag}" if slash else f"docker.io/library/{tag}"


def _import_base() -> str:
    """The base image in buildah's storage."""
    archive = base_image.root_file_system()
    name = f"localhost/base:{archive.stem}"
    if not succeeds(*_buildah("inspect"), "--type=image", name):
        container = run(*_buildah("from"), "scratch").strip()
        try:
            run(*_buildah("add"), "--quiet", container, archive, "/")
            run(*_buildah("commit"), "--quiet", container, name)
        finally:
            run(*_buildah("rm"), container)
    return name


def _buildah(verb: str) -> list[str]:
    # Storage of our own: the user's images are neither seen nor cleaned up.
    return ["buildah", f"--root={cache_root()}/buildah", "--storage-driver=overlay", verb]


def _run_visibly(command: list[str], environment: dict[str, str]) -> None:
    """Runs a build and shows what it says only when it fails: success is silent."""
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError(f"{shlex.join(command)}: exit {done.returncode}:\n{done.stdout}")


def _forget_old(folder: Path) -> None:
    """Keeps the newest images: every change of a source makes another."""
    archives = sorted(folder.glob("*.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
    for archive in archives[_KEPT:]:
        archive.unlink(missing_ok=True)


def _forget_old_in_storage(name: str) -> None:
    """The same for buildah's storage, which also holds the layers that the next build starts from."""
    repository = name.rpartition(":")[0]
    listed = json.loads(run(*_buildah("images"), "--json", "--filter", f"reference={repository}:*") or "[]")
    listed.sort(key=lambda image: image["createdatraw"], reverse=True)
    old = [image["id"] for image in listed[_KEPT:]]
    if old:
        run(*_buildah("rmi"), "--force", *old)


def main() -> int:
    """Builds the image and prints its tag and its file."""
    parser = argparse.ArgumentParser(prog="python3 -m hack.image", description=__doc__)
    parser.add_argument(
        "verb", nargs="?", choices=("build", "tag"), default="build", help="%(default)s if none is given"
    )
    parser.add_argument("--tag", help="instead of the one made from the content")
    parser.add_argument("--out", type=Path, help="where to put the archive, besides the cache")
    parser.add_argument("--dockerfile", type=Path, default=Path("Dockerfile"))
    parser.add_argument("--context", type=Path, default=Path())
    asked = parser.parse_args()
    try:
        if asked.verb == "tag":
            print(asked.tag or f"{_REPOSITORY}:{content_digest(asked.dockerfile, asked.context)}")
            return 0
        started = time.monotonic()
        image = build(asked.dockerfile, asked.context, asked.tag)
        if asked.out:
            asked.out.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(image.archive, asked.out)
    except (CommandError, OSError, RuntimeError, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"{image.tag}\n{asked.out or image.archive}")
    print(f"{time.monotonic() - started:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
