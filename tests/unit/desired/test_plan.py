from __future__ import annotations

import copy

import pytest

from headgate.desired.inventory import Inventory
from headgate.desired.keys import (
    LIMIT_RANGE,
    NAMESPACE,
    NETWORK_POLICY,
    RESOURCE_QUOTA,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    ApiResource,
    key_of,
)
from headgate.desired.manifest import HASH_ANNOTATION, MANAGED_BY_LABEL, WORKSPACE_LABEL
from headgate.desired.plan import Claims, Conflict, Deletion, Plan, plan
from headgate.desired.workspace import children
from headgate.domain.reasons import Reason
from tests.unit.desired.builders import FACTS, Live, a_member, a_quota, a_workspace, applied, carried_out

ACME = children(a_workspace(members=[a_member()]), a_quota(), FACTS)
DENY = NETWORK_POLICY.key("headgate-default-deny", "acme")
QUOTA = RESOURCE_QUOTA.key("headgate", "acme")
ADOPTING = Claims(adoptable=frozenset({"acme"}))
OWNERS = ROLE_BINDING.key("headgate-owner", "acme")


def in_namespaces(made: Plan) -> list[object]:
    """What is to be written, but for the two cluster-scoped children."""
    new = [*made.create, *made.add, *made.apply]
    written = [*new, *(patch.key for patch in made.extras), *(item.key for item in made.prune)]
    return [item for item in written if not (isinstance(item, dict) and item["kind"].startswith("Cluster"))]


def names(manifests: tuple[dict[str, object], ...]) -> list[object]:
    return [manifest["kind"] for manifest in manifests]


def test_everything_is_written_where_nothing_is() -> None:
    made = plan(ACME, {})

    assert names(made.create) == ["Namespace"]
    assert sorted((*made.create, *made.add, *made.apply), key=key_of) == sorted(ACME, key=key_of)


def test_what_others_may_have_a_part_in_is_applied_and_not_created() -> None:
    made = plan(ACME, {})

    assert {*names(made.apply)} == {"ServiceAccount"}
    assert "ServiceAccount" not in names(made.add)


def test_nothing_is_written_where_nothing_differs() -> None:
    assert plan(ACME, applied(ACME)).is_empty


def test_what_the_server_does_not_return_with_list_items_is_not_missed() -> None:
    live = applied(ACME)
    for item in live.values():
        del item["apiVersion"], item["kind"]

    assert plan(ACME, live).is_empty


def test_a_changed_value_is_applied() -> None:
    live = applied(ACME)
    live[QUOTA]["spec"]["hard"]["pods"] = "5000"

    assert [manifest["kind"] for manifest in plan(ACME, live).apply] == ["ResourceQuota"]


def test_a_field_that_is_no_longer_wanted_is_noticed_by_the_seal() -> None:
    before = children(a_workspace(), a_quota(containerDefaults={"max": {"cpu": "2"}}), FACTS)
    after = children(a_workspace(), a_quota(), FACTS)

    assert names(plan(after, applied(before)).apply) == ["LimitRange"]


def test_a_label_that_was_taken_away_is_applied_again() -> None:
    live = applied(ACME)
    del live[NAMESPACE.key("acme")]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]

    assert names(plan(ACME, live).apply) == ["Namespace"]


def test_labels_and_annotations_of_others_are_let_alone() -> None:
    live = applied(ACME)
    for item in live.values():
        item["metadata"]["labels"]["team"] = "blue"
        item["metadata"]["annotations"]["note"] = "hello"

    assert plan(ACME, live).is_empty


def test_pull_secrets_that_others_gave_a_service_account_are_let_alone() -> None:
    live = applied(ACME)
    live[SERVICE_ACCOUNT.key("default", "acme")]["imagePullSecrets"] = [{"name": "registry"}]

    assert plan(ACME, live).is_empty


def test_what_others_added_to_a_mapping_of_ours_is_patched_away_without_an_apply() -> None:
    live = applied(ACME)
    live[QUOTA]["spec"]["hard"]["count/secrets"] = "0"
    live[QUOTA]["spec"]["scopes"] = ["BestEffort"]

    made = plan(ACME, live)

    assert [(patch.key, patch.patch) for patch in made.extras] == [
        (QUOTA, {"spec": {"hard": {"count/secrets": None}, "scopes": None}})
    ]
    assert made.writes == 1


def test_a_hole_made_into_the_default_deny_is_closed() -> None:
    live = applied(ACME)
    live[DENY]["spec"]["egress"] = [{}]

    made = plan(ACME, live)

    assert [patch.patch for patch in made.extras] == [{"spec": {"egress": None}}]


def test_what_others_added_to_a_list_of_ours_is_taken_away_by_applying() -> None:
    live = applied(ACME)
    live[OWNERS]["subjects"].append({"kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io"})
    live[LIMIT_RANGE.key("headgate", "acme")]["spec"]["limits"][0]["max"] = {"cpu": "1m"}

    assert names(plan(ACME, live).apply) == ["LimitRange", "RoleBinding"]


def test_a_binding_to_another_role_is_deleted_and_made_anew() -> None:
    live = applied(ACME)
    live[OWNERS]["roleRef"]["name"] = "cluster-admin"

    made = plan(ACME, live)

    assert [step.deletion for step in made.replace] == [Deletion(OWNERS, live[OWNERS]["metadata"]["uid"])]
    assert names(tuple(step.manifest for step in made.replace)) == ["RoleBinding"]
    assert made.writes == 2


def test_what_is_ours_and_no_longer_wanted_is_pruned() -> None:
    live = applied(children(a_workspace(members=[a_member(), a_member("viewer")]), a_quota(), FACTS))
    viewers = ROLE_BINDING.key("headgate-viewer", "acme")

    assert plan(ACME, live).prune == (Deletion(viewers, live[viewers]["metadata"]["uid"]),)


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {MANAGED_BY_LABEL: "helm", WORKSPACE_LABEL: "acme"},
        {MANAGED_BY_LABEL: "headgate", WORKSPACE_LABEL: "globex"},
        {MANAGED_BY_LABEL: "headgate"},
    ],
)
def test_what_is_not_ours_is_never_pruned(labels: dict[str, str]) -> None:
    live = applied(ACME)
    theirs = copy.deepcopy(live[DENY])
    theirs["metadata"] |= {"name": "theirs", "labels": labels}
    live[NETWORK_POLICY.key("theirs", "acme")] = theirs

    assert plan(ACME, live).is_empty


def test_kinds_that_are_no_children_are_never_pruned() -> None:
    live = applied(ACME)
    job = copy.deepcopy(live[DENY]) | {"apiVersion": "batch/v1", "kind": "Job"}
    live[ApiResource("batch", "v1", "Job", "jobs", namespaced=True).key("run", "acme")] = job

    assert plan(ACME, live).is_empty


def test_what_is_being_deleted_already_is_not_pruned_again() -> None:
    live = applied(children(a_workspace(members=[a_member(), a_member("viewer")]), a_quota(), FACTS))
    live[ROLE_BINDING.key("headgate-viewer", "acme")]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert plan(ACME, live).is_empty


def test_nothing_is_touched_in_a_namespace_that_is_not_desired() -> None:
    two = children(a_workspace(namespaces=[{"name": "acme"}, {"name": "acme-old"}]), a_quota(), FACTS)
    one = children(a_workspace(namespaces=[{"name": "acme"}]), a_quota(), FACTS)
    live = carried_out(plan(one, applied(two)), applied(two))

    assert plan(one, live).is_empty
    assert NAMESPACE.key("acme-old") in live


def test_what_members_may_read_goes_with_the_last_member() -> None:
    live = applied(ACME)

    made = plan(children(a_workspace(), a_quota(), FACTS), live)

    assert {deletion.key.kind for deletion in made.prune} == {"RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def a_namespace_of_nobody(**annotations: str) -> Live:
    live = applied(ACME[:1])
    live[NAMESPACE.key("acme")]["metadata"] |= {"labels": {"team": "blue"}, "annotations": annotations}
    return live


def test_a_namespace_that_consents_is_adopted_and_marked() -> None:
    live = a_namespace_of_nobody(**{"headgate.dev/adopt-by": "acme"})

    made = plan(ACME, live, ADOPTING)

    assert not made.conflicts
    assert made.apply[0]["metadata"]["annotations"]["headgate.dev/adopted"] == "true"
    after = carried_out(made, live)[NAMESPACE.key("acme")]["metadata"]["labels"]
    assert (after["team"], after[WORKSPACE_LABEL]) == ("blue", "acme")


def test_once_adopted_it_stays_marked_and_nothing_is_written_again() -> None:
    live = a_namespace_of_nobody(**{"headgate.dev/adopt-by": "acme"})
    live = carried_out(plan(ACME, live, ADOPTING), live)
    stock = Inventory(wanted=("acme",), adopted=frozenset({"acme"}))

    desired = children(a_workspace(members=[a_member()]), a_quota(), FACTS, inventory=stock)

    assert plan(desired, live, ADOPTING).is_empty


@pytest.mark.parametrize("annotations", [{}, {"headgate.dev/adopt-by": "globex"}])
def test_a_namespace_that_does_not_consent_is_a_conflict_that_says_how_it_would(annotations: dict[str, str]) -> None:
    made = plan(ACME, a_namespace_of_nobody(**annotations), ADOPTING)

    assert [conflict.reason for conflict in made.conflicts] == [Reason.NAMESPACE_NOT_CONSENTING]
    assert "kubectl annotate namespace acme headgate.dev/adopt-by=acme" in made.conflicts[0].message
    assert "Namespace" not in names(made.apply)


def test_a_namespace_of_ours_whose_labels_were_taken_away_gets_them_back() -> None:
    live = a_namespace_of_nobody()
    uid = live[NAMESPACE.key("acme")]["metadata"]["uid"]

    made = plan(ACME, live, Claims(known=frozenset({uid})))

    assert not made.conflicts
    assert "headgate.dev/adopted" not in made.apply[0]["metadata"]["annotations"]
    assert plan(ACME, live, Claims(known=frozenset({"another"}))).conflicts


def test_consent_alone_is_not_enough_where_the_workspace_does_not_ask_for_it() -> None:
    made = plan(ACME, a_namespace_of_nobody(**{"headgate.dev/adopt-by": "acme"}))

    assert [conflict.reason for conflict in made.conflicts] == [Reason.NAMESPACE_NOT_OWNED]


def test_a_namespace_of_nobody_is_a_conflict_and_nothing_is_written_into_it() -> None:
    live = applied(ACME[:1])
    live[NAMESPACE.key("acme")]["metadata"]["labels"] = {}

    made = plan(ACME, live)

    assert not in_namespaces(made)
    assert made.conflicts == (
        Conflict(
            "acme",
            Reason.NAMESPACE_NOT_OWNED,
            "Namespace acme exists and belongs to no Workspace: choose another name, delete it, or adopt it.",
        ),
    )


def test_a_namespace_of_another_workspace_is_a_conflict_that_leaves_the_other_namespaces_alone() -> None:
    wanted = children(a_workspace(namespaces=[{"name": "acme"}, {"name": "globex"}]), a_quota(), FACTS)
    live = applied(children(a_workspace("globex"), a_quota(), FACTS))

    made = plan(wanted, live)

    assert [(conflict.namespace, conflict.reason) for conflict in made.conflicts] == [
        ("globex", Reason.NAMESPACE_CONFLICT)
    ]
    assert {manifest["metadata"].get("namespace", "acme") for manifest in (*made.create, *made.apply)} == {"acme"}


def test_nothing_is_written_into_a_namespace_that_is_being_deleted() -> None:
    live = applied(ACME[:1])
    live[NAMESPACE.key("acme")]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    made = plan(ACME, live)

    assert not in_namespaces(made)
    assert made.terminating == ("acme",)


def test_an_object_of_the_right_name_in_our_namespace_is_taken_over() -> None:
    live = applied(ACME)
    live[QUOTA]["metadata"]["labels"] = {}
    del live[QUOTA]["metadata"]["annotations"][HASH_ANNOTATION]

    assert names(plan(ACME, live).apply) == ["ResourceQuota"]


def test_nothing_is_planned_for_nothing() -> None:
    assert plan((), applied(ACME)).is_empty


def test_children_of_two_workspaces_are_refused() -> None:
    with pytest.raises(ValueError, match="of one workspace"):
        plan((*ACME, *children(a_workspace("globex"), a_quota(), FACTS)), {})


def test_children_without_their_namespace_are_refused() -> None:
    with pytest.raises(ValueError, match="namespaces that are not desired"):
        plan(ACME[1:], {})
