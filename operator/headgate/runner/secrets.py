"""Values of Secrets and credentials, which are kept out of everything that leaves the runner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from headgate.api.container import SecretKeyRef
from headgate.api.hidden_value import CredentialKeyRef
from headgate.domain.runner_task import SECRET_PREFIX, secret_variable
from headgate.runner.errors import NodeFailed

REDACTED = "[redacted]"
_SHORTEST = 4
"""Shorter values would make holes in every text, and are no secrets."""
_SHORTEST_LINE = 8


class Secrets:
    """What the kubelet put into the environment, and what the gateway gave for one attempt."""

    def __init__(
        self, environment: Mapping[str, str], credentials: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    ) -> None:
        """``credentials`` are values by the name of the credential and their key."""
        self._values = {name: value for name, value in environment.items() if name.startswith(SECRET_PREFIX)}
        self._credentials = credentials
        self._redactor: Redactor | None = None

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)}, {len(self._credentials)})"

    def with_credentials(self, credentials: Mapping[str, Mapping[str, str]]) -> Secrets:
        """The same with credentials of one attempt."""
        return Secrets(self._values, credentials)

    def value(self, ref: SecretKeyRef | CredentialKeyRef) -> str:
        """The value of that key. Raises ``NodeFailed`` where there is none."""
        if isinstance(ref, CredentialKeyRef):
            given = self._credentials.get(ref.name, {}).get(ref.key)
            if given is None:
                raise NodeFailed("MissingCredential", f"credential {ref.name} has no key {ref.key}")
            return given
        value = self._values.get(secret_variable(ref))
        if value is None:
            raise NodeFailed("MissingSecret", f"Secret {ref.name} has no key {ref.key}")
        return value

    def redactor(self, parts: Iterable[str] = ()) -> Redactor:
        """Takes every value out of what it is given, and ``parts`` of values too."""
        if further := tuple(parts):
            return Redactor((*self._all(), *further))
        if self._redactor is None:
            self._redactor = Redactor(self._all())
        return self._redactor

    def _all(self) -> Iterator[str]:
        yield from self._values.values()
        for values in self._credentials.values():
            yield from values.values()


class Redactor:
    """Puts a mark in the place of secrets. Of a text of several lines each line counts as one."""

    def __init__(self, values: Iterable[str]) -> None:
        wanted = set[str]()
        for value in values:
            stripped = value.strip()
            wanted.add(stripped)
            lines = stripped.splitlines()
            if len(lines) > 1:
                wanted.update(line.strip() for line in lines if len(line.strip()) >= _SHORTEST_LINE)
        # The longest first: a secret may be the beginning of another.
        self._values = sorted((value for value in wanted if len(value) >= _SHORTEST), key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Redactor({len(self._values)})"

    def text(self, text: str) -> str:
        """The text without secrets."""
        for value in self._values:
            text = text.replace(value, REDACTED)
        return text

    def json(self, value: Any) -> Any:
        """The JSON value without secrets in its texts, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.json(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.json(item) for item in value]
        return value
