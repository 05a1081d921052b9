"""What goes into the use cases of credentials and comes out of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


class KeysMissing(Exception):  # noqa: N818 - a state of the world, not a mistake
    """No key-encryption keys were given to this process: it can neither keep credentials nor hand them out."""

    def __init__(self) -> None:
        super().__init__("no key-encryption keys are configured: set HEADGATE_KEY_ENCRYPTION_KEYS")


class CredentialConflict(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The credential is of another version than the caller expected. Nothing was changed."""

    def __init__(self, name: str, expected: int, found: int) -> None:
        there = f"is at version {found}" if found else "does not exist"
        super().__init__(f"credential {name} {there}, and version {expected} was expected: look at it again")


class CredentialRefused(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The attempt may not have what was asked for; the message says why. Nothing was released."""


class CredentialMissing(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The node names credentials, or keys in one, that there are not. Nothing was released."""


@dataclass(frozen=True)
class CredentialView:
    """A credential without its values, which nothing but a release tells."""

    name: str
    kind: str
    version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime


@dataclass(frozen=True)
class ReleaseView:
    """One time that the values of a credential were handed out."""

    credential: str
    version: int
    run_id: UUID
    node: str
    attempt: int
    runner: str
    """Who held the attempt."""
    released_at: datetime


@dataclass(frozen=True)
class Rotation:
    """What became of the credentials of a workspace that was given a new data key."""

    resealed: int = 0
    unreadable: tuple[str, ...] = ()
    """Names of credentials that cannot be decrypted any more. They stay as they are, under their old key."""


@dataclass(frozen=True)
class Rewrapping:
    """What became of the data keys of all workspaces."""

    rewrapped: int
    failed: tuple[UUID, ...]
    """Workspaces with data keys that cannot be unwrapped. They stay as they are."""
