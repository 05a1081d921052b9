from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from headgate.api.base import Condition
from headgate.api.circuit_breaker import BreakerState, CircuitBreakerStatus
from headgate.api.usage import Use
from headgate.api.workspace import Workspace, WorkspaceStatus
from headgate.desired.inventory import Inventory
from headgate.desired.obstacles import Failure, History, Seen, obstacle
from headgate.desired.plan import Conflict, Plan
from headgate.desired.status import ending_status, paused_status, quota_status, workspace_status
from headgate.domain.amounts import Amount
from headgate.domain.conditions import find
from headgate.domain.reasons import Reason
from tests.unit.desired.builders import a_quota, a_workspace

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
HERE = {"acme": "uid-of-acme"}
THEIRS = Conflict("acme", Reason.NAMESPACE_NOT_OWNED, "It belongs to nobody.")


def seen(**what: Any) -> Seen:
    """All is well unless told otherwise."""
    return Seen(**{"quota": a_quota(), "uids": HERE, **what})


def condition(status: WorkspaceStatus, kind: str) -> Condition:
    found = find(status.conditions, kind)
    assert found is not None
    return found


def after(workspace: Workspace, status: WorkspaceStatus) -> Workspace:
    return workspace.model_copy(update={"status": status})


def test_a_workspace_is_ready_when_nothing_is_in_the_way() -> None:
    status = workspace_status(a_workspace(), seen(), NOON)

    assert (condition(status, "Ready").status, condition(status, "Ready").reason) == ("True", "Reconciled")
    assert [(item.name, item.uid, item.ready) for item in status.namespaces] == [("acme", "uid-of-acme", True)]
    assert status.observed_generation == 3


def test_a_suspended_workspace_is_ready_and_says_so() -> None:
    status = workspace_status(a_workspace(suspend=True), seen(), NOON)

    assert (condition(status, "Ready").status, condition(status, "Ready").reason) == ("True", "Suspended")


@pytest.mark.parametrize(
    ("spec", "what", "reason", "stalled"),
    [
        ({"network": {"egress": [{"cidr": "x"}]}}, {}, "InvalidSpec", True),
        ({}, {"quota": None}, "QuotaNotFound", True),
        ({}, {"quota": None, "quota_error": "no such field"}, "QuotaInvalid", True),
        ({}, {"quota": a_quota(compute={"pods": "-1"})}, "QuotaInvalid", True),
        ({}, {"plan": Plan(conflicts=(THEIRS,))}, "NamespaceNotOwned", True),
        ({}, {"plan": Plan(terminating=("acme",))}, "NamespaceTerminating", False),
        ({}, {"failure": Failure("forbidden", refused=True)}, "ApplyRefused", True),
        ({}, {"failure": Failure("timed out", refused=False)}, "ApplyFailed", False),
    ],
)
def test_what_is_in_the_way(spec: dict[str, Any], what: dict[str, Any], reason: str, stalled: bool) -> None:
    status = workspace_status(a_workspace(**spec), seen(**what), NOON)

    assert (condition(status, "Ready").status, condition(status, "Ready").reason) == ("False", reason)
    assert condition(status, "Stalled").status == str(stalled)
    assert condition(status, "Reconciling").status == str(not stalled)


def test_what_people_have_to_put_right_is_told_before_what_may_pass() -> None:
    both = seen(plan=Plan(conflicts=(THEIRS,)), failure=Failure("timed out", refused=False))

    found = obstacle(a_workspace(), both)

    assert found is not None
    assert found.reason is Reason.NAMESPACE_NOT_OWNED


def test_before_anything_was_done_it_tells_whether_children_can_be_built() -> None:
    assert obstacle(a_workspace(), Seen(quota=a_quota())) is None
    assert obstacle(a_workspace(), Seen(quota=a_quota(compute={"pods": "-1"}))) is not None


def test_the_same_again_changes_nothing() -> None:
    workspace = a_workspace()
    first = workspace_status(workspace, seen(history=History(available=True, workspace_id="w1")), NOON)
    second = workspace_status(after(workspace, first), seen(history=History(available=True)), NOON + timedelta(hours=1))

    assert second == first


def test_a_workspace_without_a_database_is_ready_with_its_history_unavailable() -> None:
    known = WorkspaceStatus(workspace_id="w1")
    status = workspace_status(after(a_workspace(), known), seen(history=History(available=False, message="away")), NOON)

    assert condition(status, "Ready").status == "True"
    history = condition(status, "HistoryReady")
    assert (history.status, history.reason, history.message) == ("False", "DatabaseUnavailable", "away")
    assert status.workspace_id == "w1"


def test_what_was_known_of_the_history_stays_where_it_was_not_asked_for() -> None:
    first = workspace_status(a_workspace(), seen(history=History(available=True, workspace_id="w1")), NOON)
    second = workspace_status(after(a_workspace(), first), seen(quota=None), NOON)

    assert condition(second, "HistoryReady") == condition(first, "HistoryReady")
    assert second.workspace_id == "w1"


def test_a_namespace_of_someone_else_does_not_make_the_others_unready() -> None:
    workspace = a_workspace(namespaces=[{"name": "acme"}, {"name": "acme-dev"}])
    status = workspace_status(workspace, seen(plan=Plan(conflicts=(THEIRS,)), uids={"acme-dev": "uid-2"}), NOON)

    assert [(item.name, item.ready) for item in status.namespaces] == [("acme", False), ("acme-dev", True)]


def test_a_namespace_that_is_being_deleted_is_not_ready_although_it_exists() -> None:
    status = workspace_status(a_workspace(), seen(plan=Plan(terminating=("acme",))), NOON)

    assert [(item.uid, item.ready) for item in status.namespaces] == [("uid-of-acme", False)]


def test_namespaces_that_were_kept_are_named() -> None:
    status = workspace_status(a_workspace(), seen(inventory=Inventory(("acme",), kept=("acme-old",))), NOON)

    assert condition(status, "Ready").status == "True"
    assert "acme-old" in condition(status, "Ready").message


def test_a_quota_counts_its_workspaces() -> None:
    status = quota_status(a_quota(), 4, None, None, NOON)

    assert status.workspaces == 4
    assert [(item.type, item.status.value) for item in status.conditions] == [
        ("Ready", "True"),
        ("Reconciling", "False"),
        ("Stalled", "False"),
    ]


def test_a_quota_that_contradicts_itself_is_stalled() -> None:
    status = quota_status(a_quota(containerDefaults={"max": {"cpu": "1m"}}), 0, None, None, NOON)

    stalled = find(status.conditions, "Stalled")
    assert stalled is not None
    assert (stalled.status, stalled.reason) == ("True", "InvalidSpec")
    assert "default of cpu is above max" in stalled.message


def test_it_is_not_ready_while_the_cluster_does_not_count_what_a_quota_limits() -> None:
    seen = Seen(quota=a_quota(), uids={"acme": "u"}, uncounted={"acme": ("count/workflows.headgate.dev",)})

    found = obstacle(a_workspace(), seen)

    assert found is not None
    assert (found.reason, found.stalled) == (Reason.QUOTA_NOT_COUNTED, False)
    assert "count/workflows.headgate.dev" in found.message


def used(name: str, amount: str, limit: str) -> Use:
    return Use(name=name, used=amount, limit=limit)


def test_use_beyond_a_lowered_limit_is_visible_and_no_obstacle() -> None:
    status = workspace_status(a_workspace(), seen(usage=(used("pods", "9", "4"), used("secrets", "1", "4"))), NOON)

    over = condition(status, "WithinLimits")
    assert (over.status, over.reason) == ("False", "OverLimit")
    assert "pods 9 of 4" in over.message
    assert condition(status, "Ready").status == "True"


def test_what_is_used_stays_as_it_was_said_while_it_is_not_known() -> None:
    first = workspace_status(a_workspace(), seen(usage=(used("pods", "1", "4"),), active_runs=2), NOON)
    second = workspace_status(after(a_workspace(), first), seen(), NOON)

    assert second == first


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [("Closed", "True", "CircuitClosed"), ("Open", "False", "CircuitOpen"), ("HalfOpen", "False", "CircuitOpen")],
)
def test_the_circuit_breaker_has_a_condition(state: str, status: str, reason: str) -> None:
    breaker = CircuitBreakerStatus(state=BreakerState(state), failures=50, retry_at=NOON)

    made = workspace_status(a_workspace(), seen(breaker=breaker), NOON)

    closed = condition(made, "CircuitClosed")
    assert (closed.status, closed.reason) == (status, reason)
    assert made.circuit_breaker == breaker


def test_an_open_circuit_breaker_says_when_it_tries_again_and_how_to_reset_it() -> None:
    breaker = CircuitBreakerStatus(state=BreakerState.OPEN, retry_at=NOON)

    message = condition(workspace_status(a_workspace(), seen(breaker=breaker), NOON), "CircuitClosed").message

    assert "2026-03-01T12:00:00Z" in message
    assert "headgate.dev/reset-circuit-breaker" in message


def test_a_namespace_that_waits_for_its_share_is_named() -> None:
    status = workspace_status(a_workspace(), seen(short={"acme": {"requests.cpu": Amount.parse("2")}}), NOON)

    ready = condition(status, "Ready")
    assert (ready.status, ready.reason) == ("True", "WaitingForShares")
    assert "acme gets 2 requests.cpu more once others use less" in ready.message


def test_a_paused_workspace_keeps_its_status_and_says_so_until_it_goes_on() -> None:
    before = workspace_status(a_workspace(), seen(), NOON)
    paused = paused_status(after(a_workspace(), before), NOON)

    assert condition(paused, "Paused").status == "True"
    assert condition(paused, "Ready") == condition(before, "Ready")
    again = workspace_status(after(a_workspace(), paused), seen(), NOON)
    assert find(again.conditions, "Paused") is None


def test_a_workspace_that_waits_for_its_runs_to_end_says_how_to_force_it() -> None:
    status = ending_status(a_workspace(), 3, NOON)

    ready = condition(status, "Ready")
    assert (ready.reason, status.active_runs) == ("RunsUnderWay", 3)
    assert "headgate.dev/force-delete=true" in ready.message


@pytest.mark.parametrize(
    ("spent", "status", "reason"),
    [
        ("7.99", "True", "WithinBudget"),
        ("8", "True", "BudgetWarning"),
        ("9.999999999", "True", "BudgetWarning"),
        ("10", "False", "BudgetExceeded"),
    ],
)
def test_a_budget_is_warned_of_and_then_spent(spent: str, status: str, reason: str) -> None:
    workspace = a_workspace(budget={"monthly": "10.00"})
    told = condition(workspace_status(workspace, seen(spent=Decimal(spent)), NOON), "WithinBudget")
    assert (told.status, told.reason) == (status, reason)


def test_a_message_about_a_budget_does_not_change_with_every_run() -> None:
    workspace = a_workspace(budget={"monthly": "10"})
    told = workspace_status(workspace, seen(spent=Decimal(1)), NOON)
    assert workspace_status(after(workspace, told), seen(spent=Decimal(2)), NOON) == told


def test_without_a_budget_nothing_is_said_of_one() -> None:
    told = workspace_status(a_workspace(budget={"monthly": "10"}), seen(spent=Decimal(1)), NOON)
    without = workspace_status(after(a_workspace(), told), seen(spent=Decimal(1)), NOON)
    assert find(without.conditions, "WithinBudget") is None


def test_a_legal_hold_is_told_for_as_long_as_there_is_one() -> None:
    told = workspace_status(a_workspace(retention={"legalHold": True}), seen(), NOON)
    held = condition(told, "LegalHold")
    assert (held.status, held.reason) == ("True", "LegalHold")
    assert "spec.retention.legalHold" in held.message
    without = workspace_status(after(a_workspace(), told), seen(), NOON)
    assert find(without.conditions, "LegalHold") is None
