"""How long what happened in a workspace is kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from headgate.api.base import KubeModel

Days = Annotated[int, Field(ge=1, le=36_500)]


class Retention(KubeModel):
    """Days for which records are kept where they can be queried."""

    execution_days: Days = 90
    """Runs and their steps, counted from the end of a run. Then they move to the archive, where there is one."""
    audit_days: Days = 365
    """Who did what. Then it moves to the archive, where there is one and the operator has signing keys."""
    webhook_days: Days = 30
    """Deliveries of webhooks."""
    compliance_days: Days = 2555
    """What has to be kept by law: seven years. Then what is archived is deleted, and the logs and files of runs."""
    legal_hold: bool = False
    """Nothing of the workspace is moved to the archive or deleted, for as long as this is true."""
