"""How far the budget of a month is spent."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.api.budget import Budget


class BudgetState(StrEnum):
    """How far it is spent."""

    WITHIN = "WithinBudget"
    WARNING = "BudgetWarning"
    EXCEEDED = "BudgetExceeded"


def spent_in(month: date, spent: Decimal, now: datetime) -> Decimal:
    """What was spent in the month of ``now``, where ``spent`` is of ``month``. Clocks of replicas differ a little."""
    return spent if month >= now.astimezone(UTC).date().replace(day=1) else Decimal(0)


def state(budget: Budget, spent: Decimal) -> BudgetState:
    """How far the budget is spent. One that is used up to the last bit is exceeded: nothing is left for another run."""
    monthly = Decimal(budget.monthly)
    if spent >= monthly:
        return BudgetState.EXCEEDED
    return BudgetState.WARNING if spent * 100 >= monthly * budget.warn_at else BudgetState.WITHIN
