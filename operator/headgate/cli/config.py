"""Which server a command speaks to, and as whom: options, then the environment, then a file of contexts."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import yaml

SERVER, WORKSPACE, TOKEN = "HEADGATE_SERVER", "HEADGATE_WORKSPACE", "HEADGATE_TOKEN"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class ConfigInvalid(Exception):  # noqa: N818 - reads as what it says
    """There is no telling whom to ask; the message says what to change."""


@dataclass(frozen=True)
class Context:
    """A server, and who somebody is there."""

    server: str
    token: str = field(repr=False)
    workspace: str = ""


@dataclass(frozen=True)
class Config:
    """What the file says."""

    contexts: Mapping[str, Context] = field(default_factory=dict)
    current: str = ""

    def with_context(self, name: str, context: Context) -> Config:
        """With that context, which is the current one from then on."""
        return replace(self, contexts={**self.contexts, name: context}, current=name)

    def without(self, name: str) -> Config:
        """Without that context; no other takes its place as the current one."""
        rest = {other: context for other, context in self.contexts.items() if other != name}
        return replace(self, contexts=rest, current="" if self.current == name else self.current)


@dataclass(frozen=True)
class Given:
    """What the options of a command say; None where they say nothing."""

    server: str | None = None
    workspace: str | None = None
    context: str | None = None
    token_file: str | None = None


def config_path(environment: Mapping[str, str]) -> Path:
    """Where the file is, or is to be."""
    home = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME") or Path.home()) / ".config")
    return Path(home) / "headgate" / "config.yaml"


def read_config(path: Path) -> Config:
    """What the file says; nothing where there is none. Raises ``ConfigInvalid``."""
    try:
        if path.stat().st_mode & _OTHERS:
            raise ConfigInvalid(f"{path} holds tokens and others may read it: chmod 600 {path}")
        said = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        contexts = {str(name): _context(item) for name, item in (said.get("contexts") or {}).items()}
        return Config(contexts, str(said.get("current") or ""))
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise ConfigInvalid(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError):
        raise ConfigInvalid(f"{path} is not what `headgate login` writes: move it away, and log in again") from None


def _context(item: Any) -> Context:
    return Context(str(item["server"]), str(item["token"]), str(item.get("workspace") or ""))


def write_config(path: Path, config: Config) -> None:
    """Put the file in the place of the one before at once, for nobody else to read. Raises ``ConfigInvalid``."""
    contexts = {
        name: {"server": item.server, "workspace": item.workspace, "token": item.token}
        for name, item in config.contexts.items()
    }
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made with mode 0600, so that there is no moment in which others might open it.
        descriptor, written = tempfile.mkstemp(dir=path.parent, prefix=".config-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                yaml.safe_dump({"current": config.current, "contexts": contexts}, file, sort_keys=False)
            Path(written).replace(path)
        except BaseException:
            Path(written).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigInvalid(f"{path} cannot be written: {error.strerror}") from None


def resolved(given: Given, environment: Mapping[str, str], config: Config) -> Context:
    """Whom to ask, and as whom. Raises ``ConfigInvalid``.

    The token of the file goes to the server that it is kept for, and to no other.
    """
    name = given.context or config.current
    kept = config.contexts.get(name)
    if given.context and kept is None:
        raise ConfigInvalid(f"there is no context {given.context}: `headgate context list` shows those that there are")
    server = given.server or ("" if given.context else environment.get(SERVER, "")) or (kept.server if kept else "")
    if not server:
        raise ConfigInvalid(f"name a server by `headgate login`, --server or {SERVER}")
    server = checked_server(server)
    same = kept is not None and checked_server(kept.server) == server
    token = _token(given, environment) or (kept.token if kept is not None and same else "")
    if not token:
        raise ConfigInvalid(f"there is no token for {server}: `headgate login`, --token-file or {TOKEN}")
    workspace = given.workspace or ("" if given.context else environment.get(WORKSPACE, ""))
    return Context(server, checked_token(token), workspace or (kept.workspace if kept is not None and same else ""))


def _token(given: Given, environment: Mapping[str, str]) -> str:
    if given.token_file:
        try:
            return Path(given.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigInvalid(f"--token-file {given.token_file} cannot be read") from None
    return "" if given.context else environment.get(TOKEN, "").strip()


def checked_server(text: str) -> str:
    """The server's URL, always in the same form. Raises ``ConfigInvalid``."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise ConfigInvalid("a server is named like https://headgate.example.com")
    return str(url).rstrip("/")


def checked_token(text: str) -> str:
    """The token, if it can be one. Raises ``ConfigInvalid``, which does not repeat it."""
    if not text or not all("!" <= character <= "~" for character in text):
        raise ConfigInvalid("that is no token: it has no spaces, and only characters of ASCII")
    return text
