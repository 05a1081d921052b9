"""What a workspace may spend."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.rules import Form

AMOUNT_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"


class OnBudgetExceeded(StrEnum):
    """What happens once the budget of a month is spent."""

    WARN = "Warn"
    STOP = "Stop"


class Budget(KubeModel):
    """What the workspace's runs may cost in a month of UTC, at the prices that the operator was given."""

    monthly: Annotated[
        str,
        StringConstraints(min_length=1, max_length=19),
        Form(pattern=AMOUNT_PATTERN, message="write an amount such as 250 or 99.50, without a currency"),
    ]
    """The amount, in the currency of the price table."""
    warn_at: Annotated[int, Field(ge=1, le=100)] = 80
    """Percent of the amount from which on the Workspace's condition warns."""
    on_exceeded: OnBudgetExceeded = OnBudgetExceeded.WARN
    """With ``Stop`` no run starts from then on until the month ends: it waits, or is refused where the Quota rejects.
    Runs under way go on to their end, and count."""
