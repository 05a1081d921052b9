from __future__ import annotations

from headgate.desired.keys import NETWORK_POLICY, ObjectKey, key_of
from headgate.desired.manifest import HASH_ANNOTATION, Manifest, child, owner_of, sealed


def a_policy(**changes: object) -> Manifest:
    return child(
        NETWORK_POLICY, name="deny", namespace="acme-dev", workspace="acme", spec={"podSelector": {}, **changes}
    )


def seal_of(manifest: Manifest) -> str | None:
    seal: str | None = manifest["metadata"].get("annotations", {}).get(HASH_ANNOTATION)
    return seal


def test_a_child_says_whose_it_is() -> None:
    assert owner_of(a_policy()) == "acme"


def test_a_child_of_another_manager_is_of_no_workspace() -> None:
    theirs = a_policy()
    theirs["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "helm"

    assert owner_of(theirs) is None
    assert owner_of({"metadata": {}}) is None


def test_its_own_labels_cannot_be_overruled() -> None:
    forged = child(NETWORK_POLICY, name="deny", workspace="acme", labels={"headgate.dev/workspace": "globex"})

    assert owner_of(forged) == "acme"


def test_the_seal_is_of_the_content() -> None:
    assert seal_of(a_policy()) == seal_of(a_policy())
    assert seal_of(a_policy()) != seal_of(a_policy(policyTypes=["Egress"]))


def test_the_seal_does_not_depend_on_the_order_of_keys() -> None:
    policy = a_policy()
    turned = {key: policy[key] for key in reversed(policy)}

    assert seal_of(sealed(turned)) == seal_of(policy)


def test_sealing_again_changes_nothing() -> None:
    assert sealed(a_policy()) == a_policy()


def test_sealing_keeps_other_annotations_and_the_manifest_given() -> None:
    bare = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "annotations": {"note": "kept"}}}

    assert sealed(bare)["metadata"]["annotations"]["note"] == "kept"
    assert seal_of(bare) is None


def test_a_key_names_group_kind_and_place_but_no_version() -> None:
    assert key_of(a_policy()) == ObjectKey("networking.k8s.io", "NetworkPolicy", "acme-dev", "deny")
    assert key_of(a_policy()) == NETWORK_POLICY.key("deny", "acme-dev")
    assert str(key_of(a_policy())) == "NetworkPolicy acme-dev/deny"


def test_a_cluster_scoped_object_of_the_core_group_has_neither_group_nor_namespace() -> None:
    key = key_of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme"}})

    assert key == ObjectKey("", "Namespace", "", "acme")
    assert str(key) == "Namespace acme"
