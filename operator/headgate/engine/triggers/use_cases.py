"""What acting on the ends of runs takes of the engine."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from headgate.engine.types import Admitted, Effects, Outcome, Refused, RunRequest, TaskRef


class Ender(Protocol):
    """What ends runs."""

    async def cancel(self, workspace_id: UUID, run_id: UUID, reason: str) -> Effects:
        """End a run at once."""
        ...

    async def stop(self, workspace_id: UUID, run_id: UUID, reason: str) -> Effects:
        """Ask a run to end."""
        ...


class UseCases(Protocol):
    """Those of the engine by which it acts on an ending. Each is safe to repeat."""

    async def admit(self, request: RunRequest) -> tuple[Admitted | Refused, Effects]:
        """Admit a run."""
        ...

    async def complete(self, ref: TaskRef, outcome: Outcome) -> Effects:
        """Record how an attempt ended."""
        ...

    @property
    def control(self) -> Ender:
        """What ends runs."""
        ...

    async def start_pending(self, workspace_id: UUID) -> Effects:
        """Start the workspace's Pending runs for which there is room."""
        ...
