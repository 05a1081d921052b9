"""Settings of a runner, from environment variables that start with ``HEADGATE_RUNNER_``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from headgate.domain.runner_task import GRACE_SECONDS


class RunnerSettings(BaseSettings):
    """What the pod spec tells a runner."""

    model_config = SettingsConfigDict(env_prefix="HEADGATE_RUNNER_", env_ignore_empty=True, frozen=True)

    gateway_url: str
    """Where the gateway is, such as http://headgate-gateway.headgate-system.svc:8080."""
    run_id: UUID
    """The run whose nodes it executes."""
    token_path: Path = Path("/var/run/secrets/headgate/token")
    """The token that proves to the gateway where it runs."""
    networks: str = ""
    """Addresses that http nodes may reach, as the JSON of a list of ``ipBlock``; public ones when empty."""
    slots: int = Field(default=4, ge=1, le=64)
    """Attempts at the same time at most."""
    idle_seconds: float = Field(default=5.0, ge=0)
    """How long it waits for more to do."""
    grace_seconds: float = Field(default=GRACE_SECONDS, ge=0)
    """How long a script has to end when it is asked to."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""
