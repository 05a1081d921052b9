from __future__ import annotations

from typing import Any

from headgate.cluster.cache import Cache
from headgate.cluster.resources import JOBS, PODS, QUOTAS, WORKFLOWS
from headgate.desired.keys import NAMESPACE, NETWORK_POLICY, RESOURCE_QUOTA, ObjectKey
from tests.workload_builders import RUN_ID, a_job, a_pod, a_task

NIGHTLY = WORKFLOWS.key("nightly", "acme")
LABELS = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": "acme"}


def a_workflow(version: int, uid: str = "first", **body: Any) -> dict[str, Any]:
    return {"metadata": {"name": "nightly", "namespace": "acme", "uid": uid, "resourceVersion": str(version)}, **body}


def a_child(version: int, workspace: str | None = "acme", name: str = "deny") -> dict[str, Any]:
    labels = {} if workspace is None else {**LABELS, "headgate.dev/workspace": workspace}
    metadata = {"name": name, "namespace": "acme", "uid": name, "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata, "spec": {}}


def children(cache: Cache, workspace: str = "acme") -> set[ObjectKey]:
    return {key for key, _ in cache.children(workspace)}


def test_what_was_taken_in_is_there() -> None:
    cache = Cache()

    assert cache.upsert(WORKFLOWS, a_workflow(5, spec={"nodes": []}))
    assert cache.get(NIGHTLY) == {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "Workflow",
        **a_workflow(5, spec={"nodes": []}),
    }
    assert cache.uid(NIGHTLY) == "first"
    assert cache.keys(WORKFLOWS) == (NIGHTLY,)
    assert cache.size == 1


def test_what_was_not_is_not() -> None:
    cache = Cache()

    assert cache.get(NIGHTLY) is None
    assert cache.uid(NIGHTLY) is None
    assert cache.owner(NIGHTLY) is None
    assert cache.keys(WORKFLOWS) == ()
    assert children(cache) == set()


def test_a_newer_version_takes_the_place_of_an_older_one() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(99, spec="old"))

    assert cache.upsert(WORKFLOWS, a_workflow(100, spec="new"))
    assert (cache.get(NIGHTLY) or {})["spec"] == "new"


def test_an_older_version_and_the_same_one_are_no_news() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(100, spec="new"))

    assert not cache.upsert(WORKFLOWS, a_workflow(99, spec="old"))
    assert not cache.upsert(WORKFLOWS, a_workflow(100, spec="new"))
    assert (cache.get(NIGHTLY) or {})["spec"] == "new"


def test_an_object_that_was_made_anew_takes_the_place_of_its_namesake() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(5, uid="first"))

    assert cache.upsert(WORKFLOWS, a_workflow(6, uid="second"))
    assert cache.uid(NIGHTLY) == "second"


def test_late_news_of_a_namesake_that_went_does_not_bring_it_back() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(5, uid="first"))
    cache.upsert(WORKFLOWS, a_workflow(8, uid="second"))

    assert not cache.upsert(WORKFLOWS, a_workflow(7, uid="first"))
    assert cache.uid(NIGHTLY) == "second"

    cache.remove(WORKFLOWS, a_workflow(9, uid="second"))

    assert not cache.upsert(WORKFLOWS, a_workflow(7, uid="first"))


def test_only_the_very_object_is_removed() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(8, uid="second"))

    assert not cache.remove(WORKFLOWS, a_workflow(9, uid="first"))
    assert cache.uid(NIGHTLY) == "second"
    assert cache.remove(WORKFLOWS, a_workflow(9, uid="second"))
    assert cache.get(NIGHTLY) is None


def test_an_object_of_unknown_version_is_dropped_by_uid() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(8))

    assert not cache.drop(NIGHTLY, "another")
    assert cache.drop(NIGHTLY, "first")
    assert not cache.drop(NIGHTLY, "first")
    assert cache.get(NIGHTLY) is None


def test_the_answer_to_a_write_that_arrives_after_the_deletion_does_not_bring_the_object_back() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(5))
    cache.remove(WORKFLOWS, a_workflow(8))

    assert not cache.upsert(WORKFLOWS, a_workflow(7))
    assert cache.get(NIGHTLY) is None


def test_nor_where_the_object_was_not_known_before() -> None:
    cache = Cache()

    assert not cache.remove(WORKFLOWS, a_workflow(8))
    assert not cache.upsert(WORKFLOWS, a_workflow(7))


def test_an_object_that_left_what_is_watched_may_return() -> None:
    cache = Cache()
    cache.upsert(NETWORK_POLICY, a_child(5))
    cache.remove(NETWORK_POLICY, a_child(8))

    assert cache.upsert(NETWORK_POLICY, a_child(9))


def test_that_it_left_is_no_news_when_it_is_known_to_have_returned() -> None:
    cache = Cache()
    cache.upsert(NETWORK_POLICY, a_child(9))

    assert not cache.remove(NETWORK_POLICY, a_child(8))
    assert cache.get(NETWORK_POLICY.key("deny", "acme")) is not None


def test_what_went_is_not_remembered_without_end() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(5, uid="first"))
    cache.remove(WORKFLOWS, a_workflow(6, uid="first"))
    for number in range(5_000):
        cache.remove(WORKFLOWS, a_workflow(7, uid=f"other-{number}"))

    assert cache.upsert(WORKFLOWS, a_workflow(5, uid="first"))


def test_a_list_drops_what_it_no_longer_holds() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(5))
    cache.upsert(QUOTAS, {"metadata": {"name": "team", "uid": "q", "resourceVersion": "4"}})

    gone = cache.retain(WORKFLOWS, [], version=20)

    assert [item["metadata"]["uid"] for item in gone] == ["first"]
    assert cache.get(NIGHTLY) is None
    assert cache.get(QUOTAS.key("team")) is not None
    assert not cache.upsert(WORKFLOWS, a_workflow(20))


def test_a_list_does_not_drop_what_is_newer_than_it() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(21))

    assert cache.retain(WORKFLOWS, [], version=20) == ()
    assert cache.get(NIGHTLY) is not None


def test_a_list_keeps_what_it_holds() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(5))

    assert cache.retain(WORKFLOWS, [NIGHTLY], version=20) == ()
    assert cache.get(NIGHTLY) is not None


def test_children_are_found_by_their_workspace() -> None:
    cache = Cache()
    cache.upsert(NETWORK_POLICY, a_child(5))
    cache.upsert(NETWORK_POLICY, a_child(6, name="other", workspace="globex"))

    assert children(cache, "acme") == {NETWORK_POLICY.key("deny", "acme")}
    assert cache.owner(NETWORK_POLICY.key("deny", "acme")) == "acme"


def test_a_child_whose_label_changes_changes_hands() -> None:
    cache = Cache()
    cache.upsert(NETWORK_POLICY, a_child(5, workspace="acme"))
    cache.upsert(NETWORK_POLICY, a_child(6, workspace="globex"))

    assert children(cache, "acme") == set()
    assert children(cache, "globex") == {NETWORK_POLICY.key("deny", "acme")}

    cache.upsert(NETWORK_POLICY, a_child(7, workspace=None))

    assert children(cache, "globex") == set()


def test_a_workspace_s_jobs_and_pods_are_not_its_children() -> None:
    cache = Cache()
    cache.upsert(JOBS, a_job().manifest())
    cache.upsert(PODS, a_pod().manifest())
    cache.upsert(NAMESPACE, {"metadata": {"name": "acme", "uid": "n", "resourceVersion": "1", "labels": LABELS}})

    assert children(cache) == {NAMESPACE.key("acme")}


def test_pods_are_found_by_their_job() -> None:
    cache = Cache()
    first, second = a_job(a_task("extract")), a_job(a_task("report"))
    cache.upsert(PODS, a_pod(first, uid="one").manifest())
    cache.upsert(PODS, a_pod(second, uid="two").manifest())
    of_first = JOBS.key(first.manifest()["metadata"]["name"], "acme")

    assert [pod["metadata"]["uid"] for pod in cache.pods_of(of_first)] == ["one"]

    cache.remove(PODS, a_pod(first, uid="one", version=30).manifest())

    assert cache.pods_of(of_first) == ()


def test_a_pod_in_another_namespace_is_not_of_the_job() -> None:
    cache = Cache()
    cache.upsert(PODS, a_pod().manifest())

    assert cache.pods_of(JOBS.key(a_job().manifest()["metadata"]["name"], "globex")) == ()


def test_jobs_are_found_by_their_run() -> None:
    cache = Cache()
    cache.upsert(JOBS, a_job().manifest())

    ((key, found),) = cache.jobs_of(str(RUN_ID))

    assert key == JOBS.key(a_job().manifest()["metadata"]["name"], "acme")
    assert found["metadata"]["uid"] == "job-uid"
    assert cache.jobs_of("another") == ()


def test_of_jobs_and_pods_only_what_is_read_is_kept() -> None:
    cache = Cache()
    cache.upsert(JOBS, a_job().let_go(60).complete().manifest())
    pod = a_pod().running().manifest()
    requests = {"resources": {"requests": {"cpu": "1"}}}
    cache.upsert(PODS, {**pod, "spec": {"containers": [{"image": "large", **requests}], "volumes": []}})

    ((_, kept),) = cache.jobs_of(str(RUN_ID))
    (kept_pod,) = cache.pods_of(JOBS.key(kept["metadata"]["name"], "acme"))

    assert kept["spec"] == {"ttlSecondsAfterFinished": 60, "activeDeadlineSeconds": 300}
    assert kept["status"] == a_job().complete().manifest()["status"]
    assert kept_pod == pod | {"spec": {"containers": [requests]}}


def test_managed_fields_are_not_kept() -> None:
    cache = Cache()
    item = a_workflow(5)
    item["metadata"]["managedFields"] = [{"manager": "headgate"}]
    cache.upsert(WORKFLOWS, item)

    assert "managedFields" not in (cache.get(NIGHTLY) or {})["metadata"]
    assert "managedFields" in item["metadata"]


def test_what_is_handed_out_is_the_reader_s_own() -> None:
    cache = Cache()
    cache.upsert(WORKFLOWS, a_workflow(5, spec={"nodes": []}))

    (cache.get(NIGHTLY) or {})["spec"]["nodes"].append("scribble")

    assert (cache.get(NIGHTLY) or {})["spec"] == {"nodes": []}


def test_the_use_of_a_resource_quota_is_no_news_but_what_is_counted_is() -> None:
    cache = Cache()
    cache.upsert(RESOURCE_QUOTA, {**a_child(1, name="headgate"), "status": {}})

    assert cache.upsert(RESOURCE_QUOTA, {**a_child(2, name="headgate"), "status": {"used": {"pods": "0"}}})
    assert not cache.upsert(RESOURCE_QUOTA, {**a_child(3, name="headgate"), "status": {"used": {"pods": "1"}}})


def test_an_integer_beyond_64_bits_is_kept_as_the_double_that_the_api_server_reads() -> None:
    cache = Cache()

    assert cache.upsert(WORKFLOWS, a_workflow(5, spec={"schema": {"maximum": 2**64}}))
    kept = cache.get(NIGHTLY)
    assert kept is not None
    assert kept["spec"] == {"schema": {"maximum": float(2**64)}}
