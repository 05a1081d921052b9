"""kubectl and helm against one cluster, whatever the user's current context is."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.shell import CommandError, run, succeeds
from hack.tools import tool

_CHUNK = 65536


@dataclass(frozen=True)
class Kube:
    """One cluster, named by a kubeconfig file that every call is given."""

    kubeconfig: Path

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints. Raises `CommandError` with its words when it fails."""
        return run(tool("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments, stdin=stdin)

    def succeeds(self, *arguments: str) -> bool:
        """Whether kubectl exits with 0."""
        return succeeds(tool("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments)

    def helm(self, *arguments: str, stdin: str | None = None) -> str:
        """What helm prints. Raises `CommandError` with its words when it fails."""
        return run(tool("helm"), f"--kubeconfig={self.kubeconfig}", *arguments, stdin=stdin)

    def get(self, *arguments: str) -> dict[str, Any]:
        """One object, or a list of them. Raises `CommandError` when it is not there."""
        found: dict[str, Any] = json.loads(self.kubectl("get", "--output=json", *arguments))
        return found

    def find(self, *arguments: str) -> dict[str, Any] | None:
        """One object, or None when there is no such object."""
        text = self.kubectl("get", "--output=json", "--ignore-not-found", *arguments)
        return json.loads(text) if text.strip() else None

    def apply(self, manifest: dict[str, Any]) -> str:
        """Applies a manifest that may hold secrets: it goes through standard input and leaves no trace of itself."""
        return self.kubectl(
            "apply", "--server-side", "--field-manager=quick-start", "-f", "-", stdin=json.dumps(manifest)
        )

    def has_image(self, name: str) -> bool:
        """Whether every node says that it holds the image of this full name. A node tells late, never wrongly."""
        nodes = self.get("nodes")["items"]
        return all(any(name in held["names"] for held in node["status"].get("images", [])) for node in nodes)

    def watch(self, *arguments: str) -> Iterator[dict[str, Any]]:
        """The states of one object, the present one first, for as long as the server tells them."""
        command = [tool("kubectl"), f"--kubeconfig={self.kubeconfig}", "get", "--watch", "--output=json", *arguments]
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if process.stdout is None or process.stderr is None:
            raise CommandError("kubectl has no output")
        decoder, text = json.JSONDecoder(), ""
        try:
            while chunk := os.read(process.stdout.fileno(), _CHUNK):
                text += chunk.decode()
                while text := text.lstrip():
                    try:
                        found, end = decoder.raw_decode(text)
                    except json.JSONDecodeError:
                        break
                    text = text[end:]
                    yield found
            if process.wait():
                raise CommandError(process.stderr.read().decode().strip())
        finally:
            process.kill()
            process.communicate()
