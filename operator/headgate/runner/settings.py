"""Settings of a runner, from environment variables that start with ``HEADGATE_RUNNER_``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from headgate.domain.runner_protocol import LONGEST_WAIT_SECONDS
from headgate.domain.runner_task import GRACE_SECONDS


class RunnerSettings(BaseSettings):
    """What the pod spec tells a runner."""

    model_config = SettingsConfigDict(env_prefix="HEADGATE_RUNNER_", env_ignore_empty=True, frozen=True)

    gateway_url: str
    """Where the gateway is, such as http://headgate-gateway.headgate-system.svc:8080."""
    run_id: UUID | None = None
    """The run whose nodes it executes; absent for a runner of a pool."""
    token_path: Path = Path("/var/run/secrets/headgate/token")
    """The token that proves to the gateway where it runs."""
    networks: str = ""
    """Addresses that http nodes may reach, as the JSON of a list of ``ipBlock``; public ones when empty."""
    slots: int = Field(default=4, ge=1, le=64)
    """Of a runner of one run: attempts at the same time at most."""
    idle_seconds: float = Field(default=5.0, ge=0)
    """How long it waits for more to do."""
    grace_seconds: float = Field(default=GRACE_SECONDS, ge=0)
    """How long a script has to end when it is asked to."""
    scripts_socket: Path | None = None
    """Of a pool: where the container that executes scripts calls in; without it no script is executed."""
    memory_bytes: int | None = Field(default=None, ge=1)
    """Memory for data that a process of a script gets at most."""
    file_bytes: int | None = Field(default=None, ge=1)
    """Size of a file that a script writes at most."""
    wait_seconds: float = Field(default=8.0, gt=0, le=LONGEST_WAIT_SECONDS)
    """Of a pool: how long the gateway may take to answer where there is nothing to do."""
    drain_seconds: float = Field(default=60.0, ge=0)
    """Of a pool: how long attempts may go on once it is told to end."""
    probe_port: int = Field(default=0, ge=0, le=65535)
    """Port that tells whether it moves; 0 for none."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""
