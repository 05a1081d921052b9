"""Asks the API server who a token belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from headgate.cluster.client import KubeClient
from headgate.desired.keys import ApiResource
from headgate.gateway.problems import RETRY_SECONDS, Problem

TOKEN_REVIEWS = ApiResource("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", namespaced=False)
TOKEN_BYTES = 16_384
"""Longer ones are not asked about."""


async def review(kube: KubeClient, token: str, audience: str) -> Mapping[str, Any] | None:
    """The ``status.user`` that the API server gives for the token, or None where it is not good for that audience.

    Raises ``ApiError`` and ``Unreachable``.
    """
    answer = await kube.create(
        TOKEN_REVIEWS,
        {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "metadata": {},
            "spec": {"token": token, "audiences": [audience]},
        },
    )
    status = answer.get("status") or {}
    # A server that knows nothing of audiences would name none, and its word is worth nothing here.
    if not status.get("authenticated") or audience not in (status.get("audiences") or ()):
        return None
    user: Mapping[str, Any] = status.get("user") or {}
    return user


def cannot_ask() -> Problem:
    """What is answered where the API server cannot tell."""
    detail = "the API server cannot be asked about the token right now"
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": RETRY_SECONDS})


def unauthorized(detail: str) -> Problem:
    """What is answered to who has not said who they are."""
    return Problem(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})
