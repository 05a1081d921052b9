"""Verdicts on attempts, of the kind that a test expects."""

from __future__ import annotations

from headgate.domain.attempt import (
    Finished,
    Starting,
    Verdict,
    judge,
)
from headgate.domain.task import Outcome, Waiting
from tests.workload_builders import JobBuilder, PodBuilder, a_job


def verdict(*pods: PodBuilder, job: JobBuilder | None = None) -> Verdict:
    return judge((job or a_job()).manifest(), [pod.manifest() for pod in pods], "extract")


def outcome(*pods: PodBuilder, job: JobBuilder | None = None) -> Outcome:
    judged = verdict(*pods, job=job)
    assert isinstance(judged, Finished), judged
    return judged.outcome


def waiting(*pods: PodBuilder, job: JobBuilder | None = None) -> Waiting | None:
    judged = verdict(*pods, job=job)
    assert isinstance(judged, Starting), judged
    return judged.waiting
