"""Against a real API server: what it returns is what was sent, and what others did is undone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate.api.quota import Quota
from headgate.api.workspace import Workspace
from headgate.cluster.client import KubeClient
from headgate.cluster.errors import ApiError
from headgate.cluster.resources import WORKSPACES
from headgate.desired.context import ClusterFacts
from headgate.desired.keys import CHILD_KINDS, NAMESPACE, ChildKind, ObjectKey, child_kind, key_of
from headgate.desired.manifest import Manifest
from headgate.desired.plan import LiveObject, plan
from headgate.desired.runner_pod import RunnerPods
from headgate.desired.workspace import children
from tests.builders import a_workspace
from tests.support.cluster import Cluster, unique

FACTS = ClusterFacts(
    "headgate-system",
    dns_addresses=("10.96.0.10", "fd00::a"),
    gateway_namespace="headgate-system",
    log_reader="headgate-gateway",
    runner_pods=RunnerPods("http://gateway", "headgate:test", "IfNotPresent", 60),
)
QUOTA = Quota.model_validate(
    {
        "metadata": {"name": "team"},
        "spec": {
            "compute": {
                "requests.cpu": "10.5",
                "limits.cpu": "1e1",
                "requests.memory": "40Gi",
                "limits.memory": "100G",
                "requests.storage": "1.5Ti",
                "requests.ephemeral-storage": "1000000",
                "hugepages-2Mi": "100Mi",
                "requests.nvidia.com/gpu": "3",
                "gold.storageclass.storage.k8s.io/requests.storage": "1024Gi",
                "pods": "1000",
                "count/jobs.batch": "101",
            },
            "containerDefaults": {
                "default": {"memory": "0.5Gi"},
                "defaultRequest": {"cpu": "100u"},
                "max": {"cpu": "2000m", "memory": "4096Mi"},
                "min": {"memory": "1e6", "ephemeral-storage": "1Mi"},
            },
        },
    }
)


def a_rich_workspace(name: str, uid: str) -> Workspace:
    return Workspace.model_validate(
        {
            "metadata": {"name": name, "uid": uid},
            "spec": {
                "quotaRef": {"name": "team"},
                "namespaces": [{"name": name, "share": 50}, {"name": f"{name}-b"}, {"name": f"{name}-c"}],
                "members": [
                    {"role": "owner", "subject": {"kind": "User", "name": "alice"}},
                    {"role": "editor", "subject": {"kind": "Group", "name": "crew"}},
                    {"role": "viewer", "subject": {"kind": "ServiceAccount", "name": "bot", "namespace": "ci"}},
                ],
                "network": {
                    "egress": [
                        {"cidr": "0.0.0.0/0", "ports": [{"port": 443}, {"port": 8000, "endPort": 8010}]},
                        {"cidr": "::/0"},
                        {"cidr": "169.254.169.254/32"},
                    ],
                    "ingress": [{"cidr": "10.0.0.0/8", "ports": [{"port": 53, "protocol": "UDP"}]}],
                },
                "runners": {"max": 2},
            },
        }
    )


@pytest.fixture
def client(cluster: Cluster) -> KubeClient:
    """The operator's own client, with the rights of an administrator."""
    return cluster.kube


@pytest.fixture
async def desired(client: KubeClient, release: None) -> AsyncIterator[tuple[Manifest, ...]]:
    """The children of a rich Workspace, applied."""
    # Kubernetes removes what is owned by an object that does not exist.
    owner = await client.create(WORKSPACES, a_workspace(unique("roundtrip")).manifest())
    name, uid = owner["metadata"]["name"], owner["metadata"]["uid"]
    wanted = children(a_rich_workspace(name, uid), QUOTA, FACTS)
    await carry_out(client, wanted, {})
    yield wanted
    await client.delete(WORKSPACES, name)
    for manifest in wanted:
        if manifest["kind"] == NAMESPACE.kind:
            await client.delete(NAMESPACE, manifest["metadata"]["name"])


async def carry_out(client: KubeClient, wanted: tuple[Manifest, ...], live: dict[ObjectKey, LiveObject]) -> None:
    made = plan(wanted, live)
    for manifest in (*made.create, *made.add):
        await client.create(kind_of(key_of(manifest)), manifest)
    for manifest in made.apply:
        await client.apply(kind_of(key_of(manifest)), manifest)
    for replacement in made.replace:
        key = replacement.deletion.key
        await client.delete(kind_of(key), key.name, key.namespace, uid=replacement.deletion.uid)
        await client.create(kind_of(key), replacement.manifest)
    for patch in made.extras:
        await client.merge_patch(kind_of(patch.key), patch.key.name, patch.key.namespace, patch.patch)
    for deletion in made.prune:
        await client.delete(kind_of(deletion.key), deletion.key.name, deletion.key.namespace, uid=deletion.uid)


async def read(client: KubeClient, wanted: tuple[Manifest, ...]) -> dict[ObjectKey, LiveObject]:
    """The live objects under the keys of the wanted ones."""
    live: dict[ObjectKey, LiveObject] = {}
    for manifest in wanted:
        key = key_of(manifest)
        live[key] = await client.get(kind_of(key), key.name, key.namespace)
    return live


def kind_of(key: ObjectKey) -> ChildKind:
    kind = child_kind(key.group, key.kind)
    assert kind is not None
    return kind


async def test_what_was_applied_does_not_differ_from_what_is_served(
    client: KubeClient, desired: tuple[Manifest, ...]
) -> None:
    assert {manifest["kind"] for manifest in desired} == {kind.kind for kind in CHILD_KINDS}
    assert plan(desired, await read(client, desired)).is_empty


async def test_what_others_did_to_the_children_is_undone(client: KubeClient, desired: tuple[Manifest, ...]) -> None:
    name = desired[0]["metadata"]["name"]
    for kind, child, patch in (
        ("ResourceQuota", "headgate", {"spec": {"hard": {"pods": "9999", "count/secrets": "0"}}}),
        ("LimitRange", "headgate", {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}}),
        (
            "NetworkPolicy",
            "headgate-default-deny",
            {"spec": {"egress": [{}], "podSelector": {"matchLabels": {"a": "b"}}}},
        ),
        ("NetworkPolicy", "headgate-declared", {"spec": {"egress": None, "policyTypes": ["Ingress"]}}),
        (
            "RoleBinding",
            "headgate-owner",
            {"subjects": [{"kind": "Group", "name": "all", "apiGroup": "rbac.authorization.k8s.io"}]},
        ),
        ("ServiceAccount", "default", {"automountServiceAccountToken": True}),
        ("ServiceAccount", "headgate-run", {"metadata": {"labels": None}}),
    ):
        resource = next(item for item in CHILD_KINDS if item.kind == kind)
        await client.merge_patch(resource, child, name, patch)
    weakened = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    await client.merge_patch(NAMESPACE, name, "", weakened)
    spoilt = await read(client, desired)

    await carry_out(client, desired, spoilt)

    assert not plan(desired, spoilt).is_empty
    assert plan(desired, await read(client, desired)).is_empty


async def test_another_role_behind_a_binding_is_undone(client: KubeClient, desired: tuple[Manifest, ...]) -> None:
    binding = next(manifest for manifest in desired if manifest["kind"] == "RoleBinding")
    resource, metadata = kind_of(key_of(binding)), binding["metadata"]
    await client.delete(resource, metadata["name"], metadata["namespace"])
    await client.create(resource, {**binding, "roleRef": {**binding["roleRef"], "name": "cluster-admin"}})
    with pytest.raises(ApiError, match="cannot change roleRef"):
        await client.apply(resource, binding)

    await carry_out(client, desired, await read(client, desired))

    assert plan(desired, await read(client, desired)).is_empty


async def test_a_smaller_plan_takes_away_what_the_larger_one_gave(
    client: KubeClient, desired: tuple[Manifest, ...]
) -> None:
    name = desired[0]["metadata"]["name"]
    spec = {"quotaRef": {"name": "team"}, "namespaces": [{"name": name, "share": 100}]}
    plain = children(
        Workspace.model_validate({"metadata": {"name": name}, "spec": spec}),
        Quota.model_validate({"metadata": {"name": "team"}}),
        FACTS,
    )
    gone = set(await read(client, desired)) - {key_of(manifest) for manifest in plain}

    await carry_out(client, plain, await read(client, desired))

    assert plan(plain, await read(client, plain)).is_empty
    for key in gone:
        if key.namespace == name:
            with pytest.raises(ApiError, match="not found"):
                await client.get(kind_of(key), key.name, key.namespace)
    assert await client.get(NAMESPACE, f"{name}-b")
