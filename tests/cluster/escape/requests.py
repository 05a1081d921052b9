"""Requests to the API server as somebody, and what it answers."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """One request. ``{...}`` in path and body are names of the stage, put in before it is sent."""

    method: str
    path: str
    body: Any = None
    content: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    def named(self, names: Mapping[str, str]) -> Self:
        """The request with the names put in."""
        text = json.dumps([self.path, self.body, dict(self.headers)])
        for name, value in names.items():
            text = text.replace("{" + name + "}", value)
        path, body, headers = json.loads(text)
        return replace(self, path=path, body=body, headers=headers)


def create(path: str, body: Any) -> Request:
    """Create an object in a collection."""
    return Request("POST", path, body)


def patch(path: str, body: Any, content: str = MERGE) -> Request:
    """Patch an object; by server-side apply with ``content=APPLY``."""
    return Request("PATCH", path, body, content)


def delete(path: str) -> Request:
    """Delete an object, or a collection."""
    return Request("DELETE", path)


def get(path: str) -> Request:
    """Read an object, or a list."""
    return Request("GET", path)


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    status: int
    text: str

    @property
    def admitted(self) -> bool:
        """Whether it was done."""
        return self.status < 300

    @property
    def message(self) -> str:
        """What a person would be shown."""
        try:
            return str(json.loads(self.text).get("message", self.text))
        except (ValueError, AttributeError):
            return self.text

    @property
    def object(self) -> dict[str, Any]:
        """The object that came back."""
        found: dict[str, Any] = json.loads(self.text)
        return found


@dataclass(frozen=True)
class Identity:
    """Somebody with a token, or the cluster's administrator with a certificate."""

    server: str
    context: ssl.SSLContext
    token: str | None = field(repr=False)
    names: Mapping[str, str]

    def tries(self, request: Request, *, dry: bool = True) -> Answer:
        """Send it; unless ``dry`` is false everything is done but the storing."""
        wanted = request.named(self.names)
        path = wanted.path
        if wanted.method != "GET":
            query = {"dryRun": "All"} if dry else {}
            if wanted.content == APPLY:
                query |= {"fieldManager": "escape", "force": "true"}
            separator = "&" if "?" in path else "?"
            path += separator + "&".join(f"{key}={value}" for key, value in query.items()) if query else ""
        headers = {"Content-Type": wanted.content, "Accept": JSON, **wanted.headers}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if wanted.body is None else json.dumps(wanted.body).encode()
        call = urllib.request.Request(self.server + path, data=data, headers=headers, method=wanted.method)
        try:
            with urllib.request.urlopen(call, context=self.context, timeout=30) as response:
                return Answer(response.status, response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode())
