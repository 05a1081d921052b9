"""What members, somebody with broad rights in one namespace, and the operator's own identity try with other objects."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.cluster.escape import namespaces, objects, operators, requests
from tests.cluster.escape.cases import Case, judge
from tests.cluster.escape.stage import Stage


def each(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """One test for each case, named by it."""
    listed = list(cases)
    assert len({case.id for case in listed}) == len(listed)
    return pytest.mark.parametrize("case", listed, ids=lambda case: case.id)


@each(objects.cluster_scoped())
def test_the_cluster_s_objects_are_out_of_reach(stage: Stage, case: Case) -> None:
    judge(case, stage)


@each(objects.neighbours())
def test_other_workspaces_are_out_of_reach(stage: Stage, case: Case) -> None:
    judge(case, stage)


@each(objects.identities())
def test_nobody_gets_to_be_somebody_else(stage: Stage, case: Case) -> None:
    judge(case, stage)


@each(objects.roles())
def test_owners_give_what_they_have_to_machines_of_the_workspace(stage: Stage, case: Case) -> None:
    judge(case, stage)


@each(objects.managed())
def test_what_headgate_manages_stays_as_it_is(stage: Stage, case: Case) -> None:
    judge(case, stage)


@each(objects.forged())
def test_nothing_of_a_tenant_comes_to_look_like_headgate_s(stage: Stage, case: Case) -> None:
    judge(case, stage)


@each(objects.network())
def test_network_policies_open_nothing_but_the_workspace(stage: Stage, case: Case) -> None:
    judge(case, stage)


@each(objects.exposure())
def test_services_ingresses_and_claims_keep_to_what_is_allowed(stage: Stage, case: Case) -> None:
    judge(case, stage)


@each(objects.decisions())
def test_everybody_decides_in_their_own_name(stage: Stage, case: Case) -> None:
    judge(case, stage)


def test_a_decision_is_never_taken_back(stage: Stage) -> None:
    owner, editor = stage.identity("owner"), stage.identity("editor")
    run = objects.own("workflowruns", "decided")
    made = owner.tries(requests.create(objects.own("workflowruns"), objects.a_run("decided", objects.OWNER)), dry=False)
    assert made.admitted, made.message

    for change in (objects.decided(), objects.decided(objects.OWNER, approved=False), objects.decided(objects.EDITOR)):
        for who in (owner, editor):
            assert "never taken back" in who.tries(requests.patch(run, change)).message
    both = objects.decided(objects.OWNER, objects.EDITOR)
    assert editor.tries(requests.patch(run, both)).admitted
    assert owner.tries(requests.delete(run), dry=False).admitted


@each(namespaces.own())
def test_a_workspace_s_namespace_stays_as_it_is(stage: Stage, case: Case) -> None:
    judge(case, stage)


@each(namespaces.others())
def test_no_other_namespace_becomes_a_workspace_s(stage: Stage, case: Case) -> None:
    judge(case, stage)


@each(operators.confined())
def test_the_operator_s_identity_keeps_to_what_is_headgate_s(stage: Stage, case: Case) -> None:
    judge(case, stage)


def test_finalizers_of_a_namespace_are_kubernetes_own(stage: Stage) -> None:
    broad = stage.identity("broad")
    live = broad.tries(namespaces.READ).object

    answer = broad.tries(namespaces.finalize({**live, "spec": {"finalizers": []}}))

    assert "ValidatingAdmissionPolicy 'headgate-namespaces'" in answer.message


def test_a_namespace_that_is_nobody_s_may_consent_to_be_adopted(stage: Stage) -> None:
    answer = stage.identity("broad").tries(namespaces.CONSENT)

    assert answer.admitted, answer.message
