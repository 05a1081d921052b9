"""What is said of what somebody did, in the audit log. Never a secret, and no inputs, which may hold some. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from headgate.api.workflow_run import Decision
from headgate.domain.audit import Act, Action, Actor, ActorKind
from headgate.engine.bounds import clip
from headgate.engine.definitions.definition import Definition
from headgate.engine.types import RunRequest, TaskRef

DECIDED_VIA = "Kubernetes admission"
"""An approval in a WorkflowRun names who decides, and the API server lets nobody name another."""


class KeyTerms(Protocol):
    """What is said of a new key."""

    @property
    def name(self) -> str:
        """What it is for."""
        ...

    @property
    def role(self) -> str:
        """What it may do at most."""
        ...

    @property
    def scopes(self) -> Iterable[str]:
        """What it may do."""
        ...

    @property
    def expires_at(self) -> datetime | None:
        """When it ends."""
        ...


def done(by: Actor | None, action: Action, to: str, **detail: Any) -> Act | None:
    """That somebody did it; None where nobody did."""
    if by is None:
        return None
    return Act(by, action, to, {name: value for name, value in detail.items() if value is not None})


def steered(by: Actor | None, action: Action, run_id: UUID, reason: str | None = None, **detail: Any) -> Act | None:
    """That somebody steered a run."""
    return done(by, action, f"run/{run_id}", reason=None if reason is None else clip(reason), **detail)


def started(by: Actor, request: RunRequest, definition: Definition, run_id: UUID) -> Act:
    """That somebody started a run."""
    detail = {
        "workflow": f"{definition.namespace}/{definition.workflow}",
        "mode": request.mode.value,
        "version": request.version,
        "replayOf": None if request.replay_of is None else str(request.replay_of),
    }
    return Act(by, Action.RUN_START, f"run/{run_id}", {name: value for name, value in detail.items() if value})


def decided(by: Actor | None, ref: TaskRef, said: Decision) -> Act | None:
    """That somebody decided an approval. In Kubernetes it is whom the decision names."""
    if by is not None and by.kind is ActorKind.KUBERNETES:
        by = replace(by, kind=ActorKind.USER, name=said.by, via=DECIDED_VIA)
    action = Action.RUN_APPROVE if said.approved else Action.RUN_REJECT
    return done(by, action, f"run/{ref.run_id}", node=ref.node, attempt=ref.attempt, comment=said.comment or None)


def key_made(by: Actor | None, key_id: UUID, terms: KeyTerms) -> Act | None:
    """That somebody was given an API key."""
    expires = None if terms.expires_at is None else terms.expires_at.isoformat()
    scopes = sorted(terms.scopes)
    return done(
        by, Action.KEY_CREATE, f"key/{key_id}", name=terms.name, role=terms.role, scopes=scopes, expiresAt=expires
    )


def released(holder: str, ref: TaskRef, versions: Mapping[str, int]) -> Act:
    """That a runner was given credentials."""
    runner = Actor(ActorKind.RUNNER, holder, "lease of the attempt")
    detail = {"node": ref.node, "attempt": ref.attempt, "credentials": dict(versions)}
    return Act(runner, Action.CREDENTIAL_RELEASE, f"run/{ref.run_id}", detail)


def workspace_act(action: Action, workspace: str, detail: Mapping[str, Any]) -> Act:
    """What whoever may write a Workspace, or the Quota that it names, did to it."""
    by = Actor(ActorKind.KUBERNETES, f"Workspace {workspace}", "Kubernetes")
    return Act(by, action, f"workspace/{workspace}", detail)
