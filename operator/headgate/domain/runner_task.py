"""Work for a runner, who it is, and the variables in which it finds the secrets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from headgate.api.container import SecretKeyRef
from headgate.api.hidden_value import CredentialKeyRef
from headgate.api.node import NodeConfig
from headgate.domain.task import TaskRef

AUDIENCE = "headgate-runner"
"""For whom the token of a runner is good."""
SECRET_PREFIX = "HEADGATE_SECRET_"  # noqa: S105 - the name of a variable, not a secret
GRACE_SECONDS = 30.0
"""What a script has to end between SIGTERM and SIGKILL: as long as Kubernetes gives the pod of a container node."""
KINDS = ("http", "sql", "script", "connector")
"""The members of a node's config that a runner executes."""
LOSSES = 3
"""Runners that may die before an attempt is given up, and its retry decides."""
POOL_NAME = "headgate-runners"
"""The Deployment of a namespace's pool."""


@dataclass(frozen=True)
class RunnerTask:
    """An attempt that is one runner's for the length of its lease."""

    ref: TaskRef
    workspace: str
    namespace: str
    workflow: str
    work: Mapping[str, Any]
    """The node's config, with all expressions replaced: one member of ``KINDS``."""
    expires_at: datetime
    """When the node's timeout has passed."""


@dataclass(frozen=True)
class OpenRunnerTask:
    """An attempt for a runner that has not ended."""

    ref: TaskRef
    workspace: str
    namespace: str
    workflow: str
    due_at: datetime
    """When it may be claimed or, while it is claimed, when the lease ends."""
    expires_at: datetime
    holder: str | None
    losses: int
    """Runners of its run that died while it was open."""
    stopping: bool = False
    """Whether it was asked to end, so that nobody else begins it."""
    kind: str = "script"
    """The member of ``KINDS`` that it is."""
    needs_secrets: bool = False
    """Whether its node names Secrets, which only the kubelet reads, for a runner of the run's own."""


def secrets_of(config: NodeConfig) -> tuple[SecretKeyRef, ...]:
    """What a runner has to read from Secrets to execute the node."""
    return tuple(ref for ref in _references(config) if isinstance(ref, SecretKeyRef))


def credentials_of(config: NodeConfig) -> tuple[CredentialKeyRef, ...]:
    """What a runner has to be given of the Workspace's credentials to execute the node."""
    return tuple(ref for ref in _references(config) if isinstance(ref, CredentialKeyRef))


def _references(config: NodeConfig) -> tuple[SecretKeyRef | CredentialKeyRef | None, ...]:
    found: list[SecretKeyRef | CredentialKeyRef | None] = []
    if config.http is not None:
        for header in config.http.headers:
            found += [header.secret_key_ref, header.credential_key_ref]
    if config.sql is not None:
        found += [config.sql.connection, config.sql.credential]
    if config.script is not None:
        for source in (variable.value_from for variable in config.script.env if variable.value_from):
            found += [source.secret_key_ref, source.credential_key_ref]
    if config.connector is not None:
        found += _references_in(config.connector)
    return tuple(found)


def _references_in(part: Any) -> Iterator[SecretKeyRef | CredentialKeyRef]:
    """Those in a part of a config, wherever they stand."""
    match part:
        case SecretKeyRef() | CredentialKeyRef():
            yield part
        case BaseModel():
            for _, member in part:
                yield from _references_in(member)
        case tuple():
            for item in part:
                yield from _references_in(item)


def secrets_of_all(configs: Iterable[NodeConfig]) -> tuple[SecretKeyRef, ...]:
    """What a runner has to read to execute all the nodes: each once."""
    return tuple(dict.fromkeys(ref for config in configs for ref in secrets_of(config)))


def secret_variable(ref: SecretKeyRef) -> str:
    """The runner's environment variable that holds the value."""
    return SECRET_PREFIX + hashlib.sha256(f"{ref.name}/{ref.key}".encode()).hexdigest()[:32].upper()


def runner_job_name(workflow: str, run_id: UUID, number: int) -> str:
    """Name of the run's runner Job of that number: at most 58 characters, so that its pods' names begin with it."""
    readable = re.sub(r"[^a-z0-9-]", "-", workflow)[:28].strip("-") or "x"
    return f"{readable}-runner-{_digest(run_id)}-{number}"


def is_runner_of(pod: str, run_id: UUID) -> bool:
    """Whether a pod's name is that of a pod which the runner Job of that run makes."""
    return re.search(rf"-runner-{_digest(run_id)}-[0-9]+-[a-z0-9]{{5}}$", pod) is not None


def is_pool_runner(pod: str) -> bool:
    """Whether a pod's name is that of a pod which a pool's Deployment makes: no Job has pods of such names."""
    return re.fullmatch(rf"{POOL_NAME}-[a-z0-9]{{1,16}}-[a-z0-9]{{5}}", pod) is not None


def _digest(run_id: UUID) -> str:
    return hashlib.sha256(f"{run_id}/runner".encode()).hexdigest()[:12]
