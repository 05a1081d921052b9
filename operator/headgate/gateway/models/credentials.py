"""Credentials, as the API takes and gives them: values go in, and never come out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from headgate.domain.credentials import KIND_CHARACTERS, MOST_VALUES
from headgate.engine.credentials.types import CredentialView, Rotation
from headgate.gateway.models.base import LARGEST_INTEGER, ApiModel

_Kind = Annotated[str, StringConstraints(min_length=1, max_length=KIND_CHARACTERS, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
_Key = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
_VALUES = {"username": "shop", "password": "correct horse battery staple"}
ExpectedVersion = Annotated[int | None, Field(ge=0, le=LARGEST_INTEGER)]
"""The version that a credential must have; 0 for none."""


class PutCredential(ApiModel):
    """What a credential is to hold from now on."""

    kind: _Kind = "opaque"
    """What its values are for, in a word; not secret."""
    values: Annotated[dict[_Key, SecretStr], Field(min_length=1, max_length=MOST_VALUES, examples=[_VALUES])]
    """All its values, by the keys that nodes name; 32 KiB at most in all."""


class Credential(ApiModel):
    """A credential without its values, which only nodes that name them are given."""

    name: str
    """As nodes name it."""
    kind: str
    """What its values are for."""
    version: int
    """Counts the values that it had."""
    created_at: datetime
    """When its first version was put."""
    created_by: str
    """Who put that."""
    updated_at: datetime
    """When this version was put."""
    updated_by: str
    """Who put that."""


class CredentialList(ApiModel):
    """All credentials of a workspace, by name."""

    items: tuple[Credential, ...]
    """The credentials."""


class Rotated(ApiModel):
    """What became of the credentials of a workspace that was given a new data key."""

    resealed: int
    """How many lie under the new key now."""
    unreadable: tuple[str, ...]
    """Names of those that cannot be decrypted any more: put them anew."""


def credential_of(view: CredentialView) -> Credential:
    """The credential as the API gives it."""
    return Credential(**vars(view))


def rotated_of(rotation: Rotation) -> Rotated:
    """The rotation as the API gives it."""
    return Rotated(resealed=rotation.resealed, unreadable=rotation.unreadable)
