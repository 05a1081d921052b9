"""What the settings say of pods of runners."""

from __future__ import annotations

from headgate.desired.runner_pod import RunnerPods
from headgate.settings import OperatorSettings


def runner_pods(settings: OperatorSettings) -> RunnerPods | None:
    """What pods of runners are made of; None without a gateway."""
    if settings.gateway_url is None:
        return None
    return RunnerPods(
        gateway_url=settings.gateway_url,
        image=settings.runner_image,
        pull_policy=settings.runner_image_pull_policy,
        idle_seconds=settings.runner_idle_seconds,
    )
