"""Values that a connector names and that nobody else is to see, parts of them included."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from headgate.api.container import SecretKeyRef
from headgate.api.hidden_value import CredentialKeyRef, HiddenValue
from headgate.api.node import NodeConfig
from headgate.domain.runner_task import credentials_of, secrets_of
from headgate.runner import sql
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Secrets


def value_of(hidden: HiddenValue, secrets: Secrets) -> str:
    """The value. Raises ``NodeFailed`` where there is none."""
    ref = hidden.secret_key_ref or hidden.credential_key_ref
    if ref is None:
        raise NodeFailed("InvalidTask", "the node names neither a Secret nor a credential")
    # Files that Secrets are made from end with a line's end.
    return secrets.value(ref).strip()


def parts_of(config: NodeConfig, secrets: Secrets) -> Iterator[str]:
    """What of the values that a config names must not be told by itself: passwords, and the paths of addresses."""
    refs: list[SecretKeyRef | CredentialKeyRef] = [*secrets_of(config), *credentials_of(config)]
    for ref in refs:
        value = secrets.value(ref).strip()
        if "://" not in value:
            if password := sql.password_of(value):
                yield password
            continue
        try:
            url = urlsplit(value)
        except ValueError:
            continue
        if url.password:
            yield from (url.password, unquote(url.password))
        if url.scheme in ("http", "https"):
            yield from (part for part in (url.path.strip("/"), url.path.rpartition("/")[2], url.query) if part)
