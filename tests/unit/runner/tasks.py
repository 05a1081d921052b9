"""Attempts for runners, as tests want them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from headgate.api.container import SecretKeyRef
from headgate.domain.addresses import Block
from headgate.domain.runner_log import FrameWriter
from headgate.domain.runner_protocol import Task
from headgate.domain.runner_task import secret_variable
from headgate.runner.execution import Executor
from headgate.runner.networks import Networks
from headgate.runner.secrets import Secrets

RUN = UUID("01890000-0000-7000-8000-000000000001")
HERE = Networks.of([Block("127.0.0.0/8")])
"""This machine, which is never allowed by itself."""


def a_task(work: dict[str, Any], node: str = "work", *, timeout: float = 20.0, lease: float = 15.0) -> Task:
    return Task(
        run_id=RUN,
        node=node,
        attempt=1,
        workspace="acme",
        namespace="acme",
        workflow="nightly",
        work=work,
        timeout_seconds=timeout,
        lease_seconds=lease,
    )


def secrets(**values: str) -> Secrets:
    """The key ``k`` of Secrets with these names."""
    return Secrets({secret_variable(SecretKeyRef(name=name, key="k")): value for name, value in values.items()})


def an_executor(lines: list[str] | None = None, *, grace: float = 5.0, **values: str) -> Executor:
    return Executor(secrets(**values), HERE, FrameWriter((lines if lines is not None else []).append), grace=grace)


def script(source: str, language: str = "shell", **members: Any) -> dict[str, Any]:
    return {"script": {"language": language, "source": source, **members}}
