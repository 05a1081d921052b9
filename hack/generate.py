"""Writes what is made from the code: custom resource definitions, references, and the client of the HTTP API.

`python -m hack.generate` writes the files; with `--check` it writes nothing and fails when a file differs.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import yaml

from hack.client import client
from hack.commands import commands
from hack.reference import reference
from headgate.api.crd import KINDS, custom_resource_definition
from headgate.gateway.api import api_routes, document

ROOT = Path(__file__).resolve().parent.parent
CRD_FOLDERS = ("crds", "charts/headgate/files/crds")
REFERENCE = "docs/reference/custom-resources.md"
API_DOCUMENT = "docs/reference/openapi.yaml"
COMMANDS = "docs/reference/command-line.md"
API_CLIENT = "operator/headgate/client/api.py"
MARK = "Generated from operator/headgate/api by `python -m hack.generate`; do not edit."
API_MARK = "Generated from operator/headgate/gateway by `python -m hack.generate`; do not edit."
COMMANDS_MARK = "Generated from operator/headgate/cli by `python -m hack.generate`; do not edit."
CLIENT_MARK = "The HTTP API's client. Generated from its OpenAPI document by `python -m hack.generate`; do not edit."
SHOWN_LINES = 12


class _Dumper(yaml.SafeDumper):
    """YAML without anchors, and with long text as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(document: dict[str, Any], mark: str = MARK) -> str:
    """The document as a YAML file, keys in the order given."""
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return f"# {mark}\n{body}"


def generated() -> dict[str, str]:
    """What every generated file should hold, by its path from the root of the checkout."""
    definitions = {model.resource.plural: custom_resource_definition(model) for model in KINDS}
    described = api_document()
    files = {
        REFERENCE: reference(definitions.values(), MARK),
        API_DOCUMENT: to_yaml(described, API_MARK),
        COMMANDS: commands(COMMANDS_MARK),
        API_CLIENT: client(described, CLIENT_MARK),
    }
    for plural, definition in definitions.items():
        text = to_yaml(definition)
        for folder in CRD_FOLDERS:
            files[f"{folder}/{plural}.yaml"] = text
    return files


def api_document() -> dict[str, Any]:
    """The OpenAPI document of the gateway."""
    # Described and never called, the routes need nothing to work with.
    nothing: Any = Mock()
    return document(
        api_routes(
            nothing,
            nothing,
            nothing,
            nothing,
            None,
            None,
            refused=nothing,
            wall=nothing,
            heard=nothing,
            waiters=nothing,
        )
    )


def strays(root: Path, files: dict[str, str]) -> list[str]:
    """Files in the generated folders that nothing generates any more."""
    found = (path.relative_to(root).as_posix() for folder in CRD_FOLDERS for path in (root / folder).glob("*"))
    return sorted(set(found) - files.keys())


def differences(root: Path, files: dict[str, str]) -> list[str]:
    """One paragraph for each file that is not as generated; none when all is up to date."""
    found = []
    for name, wanted in sorted(files.items()):
        path = root / name
        if not path.exists():
            found.append(f"{name}: missing")
            continue
        actual = path.read_text()
        if actual != wanted:
            found.append(f"{name}: differs\n{_summary(actual, wanted)}")
    return found + [f"{name}: nothing generates it" for name in strays(root, files)]


def _summary(actual: str, wanted: str) -> str:
    lines = difflib.unified_diff(
        actual.splitlines(), wanted.splitlines(), "in the checkout", "generated", "", "", 0, ""
    )
    changed = [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]
    shown = [f"  {line}" for line in changed[:SHOWN_LINES]]
    if len(changed) > SHOWN_LINES:
        shown.append(f"  and {len(changed) - SHOWN_LINES} more lines")
    return "\n".join(shown)


def write(root: Path, files: dict[str, str]) -> list[str]:
    """Makes the checkout as generated; returns the names of the files that changed."""
    changed = []
    for name, text in sorted(files.items()):
        path = root / name
        if path.exists() and path.read_text() == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        changed.append(name)
    for name in strays(root, files):
        (root / name).unlink()
        changed.append(name)
    return changed


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m hack.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file differs")
    files = generated()
    if not parser.parse_args(arguments).check:
        for name in write(ROOT, files):
            print(f"written: {name}")
        return 0
    found = differences(ROOT, files)
    for paragraph in found:
        print(paragraph, file=sys.stderr)
    if found:
        print("Generated files are not up to date: run `python -m hack.generate`.", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
