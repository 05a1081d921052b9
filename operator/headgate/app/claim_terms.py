"""On which terms a replica claims attempts, by its settings."""

from __future__ import annotations

from datetime import timedelta

from headgate.domain.task import ClaimTerms
from headgate.settings import OperatorSettings


def claim_terms(settings: OperatorSettings) -> ClaimTerms:
    """The same for a replica that leads and for one that stands by."""
    return ClaimTerms(
        settings.pod_name,
        settings.claim_batch,
        timedelta(seconds=settings.claim_seconds),
        settings.unscheduled_pods,
    )
