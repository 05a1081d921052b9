"""What people write behind options, read."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from headgate.cli.session import Mistake
from headgate.domain.durations import parse_duration

_INPUT = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)(:?)=(.*)", re.DOTALL)


def inputs_of(file: str | None, pairs: Sequence[str]) -> dict[str, Any]:
    """Inputs of a run: those of the file, and over them ``key=text`` and ``key:=JSON``. Raises ``Mistake``."""
    said = object_of(file, "--inputs", "its members are inputs") if file is not None else {}
    return {**said, **dict(map(_input, pairs))}


def object_of(file: str, option: str, what: str) -> dict[str, Any]:
    """The object that a file holds, in JSON or YAML; - is standard input. Raises ``Mistake``."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        said = yaml.safe_load(text) or {}
    except (OSError, UnicodeDecodeError):
        raise Mistake(f"{option} {file} cannot be read") from None
    except yaml.YAMLError:
        raise Mistake(f"{option} {file} is neither JSON nor YAML") from None
    if not isinstance(said, dict):
        raise Mistake(f"{option} {file} has to hold an object: {what}")
    # YAML's dates are texts in JSON, as an author of inputs means them.
    found: dict[str, Any] = json.loads(json.dumps(said, default=str))
    return found


def _input(pair: str) -> tuple[str, Any]:
    found = _INPUT.fullmatch(pair)
    if found is None:
        raise Mistake("an input is written as KEY=TEXT, or KEY:=JSON for anything but a text")
    key, typed, value = found.groups()
    return key, json_of(f"the input {key}", key, value) if typed else value


def json_of(what: str, key: str, text: str) -> Any:
    """The value behind ``:=``. Raises ``Mistake``."""
    try:
        return json.loads(text)
    except ValueError:
        raise Mistake(f"{what} is no JSON: write {key}=… for a text") from None


def labels_of(pairs: Sequence[str]) -> dict[str, str]:
    """Labels, written as ``key=value``. Raises ``Mistake``."""
    labels = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise Mistake(f"{pair!r} is no label: write KEY=VALUE")
        labels[key] = value
    return labels


def workflow_of(text: str) -> tuple[str | None, str]:
    """The namespace, where one is said, and the name."""
    namespace, slash, name = text.rpartition("/")
    if slash and not (namespace and name):
        raise Mistake(f"{text!r} is no workflow: write NAME, or NAMESPACE/NAME")
    return namespace or None, name


def length_of(text: str | None, option: str) -> timedelta | None:
    """A length of time. Raises ``Mistake``."""
    try:
        return parse_duration(text) if text is not None else None
    except ValueError as error:
        raise Mistake(f"{option}: {error}") from None


def moment_of(text: str | None, option: str, now: datetime, *, ahead: bool) -> str | None:
    """A moment as the API takes it: written out, or as a length of time from now. Raises ``Mistake``."""
    if text is None:
        return None
    try:
        length = parse_duration(text)
    except ValueError:
        length = None
    try:
        moment = (now + length if ahead else now - length) if length is not None else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise Mistake(f"{option} is a moment like 2026-03-10T12:00:00Z, or a length of time like 90d") from None
    if moment.tzinfo is None:
        raise Mistake(f"{option} needs a time zone, such as 2026-03-10T12:00:00Z")
    return moment.isoformat()


def values_of(files: Sequence[str]) -> Mapping[str, str]:
    """Values of a credential: of files as ``key=path``, or of a JSON object on standard input. Raises ``Mistake``."""
    if files:
        return dict(map(_file_value, files))
    if sys.stdin.isatty():
        raise Mistake("give the values as a JSON object on standard input, or by --from-file KEY=PATH")
    try:
        said = json.loads(sys.stdin.read())
    except (ValueError, UnicodeDecodeError):
        said = None
    # Nothing of it is repeated: these are secrets.
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise Mistake("the values on standard input are no JSON object of texts")
    return said


def _file_value(pair: str) -> tuple[str, str]:
    key, equals, path = pair.partition("=")
    if not (key and equals and path):
        raise Mistake("--from-file is written as KEY=PATH")
    try:
        return key, Path(path).read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        raise Mistake(f"{path} cannot be read as text") from None
