from __future__ import annotations

import asyncio
import itertools

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port
from prometheus_client import CollectorRegistry

from headgate.cluster.client import KubeClient
from headgate.cluster.errors import ApiError, Unreachable
from headgate.cluster.resources import JOBS, WORKFLOWS, WORKSPACES
from headgate.cluster.wire import path
from headgate.dependencies import DependencyGuard
from headgate.desired.keys import NAMESPACE, NETWORK_POLICY, ApiResource
from headgate.domain.dependency_breaker import DependencyName
from tests.unit.cluster.served_api import JOB, a_connection, answer, refusal, world
from tests.unit.cluster.virtual_time import later


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "expected"),
    [
        (NAMESPACE, "", "", "/api/v1/namespaces"),
        (NAMESPACE, "", "acme", "/api/v1/namespaces/acme"),
        (WORKSPACES, "", "acme", "/apis/headgate.dev/v1alpha1/workspaces/acme"),
        (WORKSPACES, "ignored", "acme", "/apis/headgate.dev/v1alpha1/workspaces/acme"),
        (JOBS, "acme", "extract-1", "/apis/batch/v1/namespaces/acme/jobs/extract-1"),
        (JOBS, "acme", "", "/apis/batch/v1/namespaces/acme/jobs"),
        (JOBS, "", "", "/apis/batch/v1/jobs"),
    ],
)
def test_where_things_are(resource: ApiResource, namespace: str, name: str, expected: str) -> None:
    assert path(resource, namespace, name) == expected


async def test_an_object_is_read() -> None:
    async with world(answer(JOB)) as it:
        assert await it.kube.get(JOBS, "extract-1", "acme") == JOB

    assert (it.api.request.method, it.api.request.path) == ("GET", "/apis/batch/v1/namespaces/acme/jobs/extract-1")
    assert it.api.request.headers["User-Agent"] == "headgate"


async def test_apply_is_server_side_with_force_and_in_headgate_s_name() -> None:
    policy = {"metadata": {"name": "deny", "namespace": "acme"}, "spec": {"podSelector": {}}}

    async with world(answer(policy)) as it:
        assert await it.kube.apply(NETWORK_POLICY, policy) == policy

    assert it.api.request.method == "PATCH"
    assert it.api.request.path == "/apis/networking.k8s.io/v1/namespaces/acme/networkpolicies/deny"
    assert it.api.request.query == {"fieldManager": "headgate", "force": "true"}
    assert it.api.request.headers["Content-Type"] == "application/apply-patch+yaml"
    assert it.api.request.body == policy


async def test_an_object_is_created() -> None:
    async with world(answer(JOB, 201)) as it:
        assert await it.kube.create(JOBS, JOB) == JOB

    assert (it.api.request.method, it.api.request.path) == ("POST", "/apis/batch/v1/namespaces/acme/jobs")
    assert it.api.request.headers["Content-Type"] == "application/json"
    assert it.api.request.body == JOB


async def test_an_integer_beyond_64_bits_is_sent_as_a_double() -> None:
    async with world(answer(JOB, 201)) as it:
        await it.kube.create(JOBS, {**JOB, "spec": {"count": 2**64}})

    assert it.api.request.body["spec"] == {"count": float(2**64)}


async def test_an_object_is_replaced() -> None:
    async with world(answer(JOB)) as it:
        await it.kube.replace(JOBS, JOB)

    assert (it.api.request.method, it.api.request.path) == ("PUT", "/apis/batch/v1/namespaces/acme/jobs/extract-1")


async def test_a_status_is_patched_apart_from_its_object() -> None:
    async with world() as it:
        await it.kube.merge_patch(WORKFLOWS, "nightly", "acme", {"status": {"version": 2}}, subresource="status")

    assert it.api.request.method == "PATCH"
    assert it.api.request.path == "/apis/headgate.dev/v1alpha1/namespaces/acme/workflows/nightly/status"
    assert it.api.request.headers["Content-Type"] == "application/merge-patch+json"
    assert it.api.request.body == {"status": {"version": 2}}


async def test_an_object_is_deleted_with_all_it_owns() -> None:
    async with world() as it:
        await it.kube.delete(JOBS, "extract-1", "acme")

    assert it.api.request.method == "DELETE"
    assert it.api.request.body == {"propagationPolicy": "Background"}


async def test_what_it_owns_may_have_to_be_gone_before() -> None:
    async with world() as it:
        await it.kube.delete(JOBS, "extract-1", "acme", foreground=True)

    assert it.api.request.body == {"propagationPolicy": "Foreground"}


async def test_only_that_very_object_is_deleted_where_its_uid_is_given() -> None:
    async with world() as it:
        await it.kube.delete(JOBS, "extract-1", "acme", uid="u1")

    assert it.api.request.body["preconditions"] == {"uid": "u1"}


async def test_several_are_deleted_by_their_labels_and_counted_as_one_request() -> None:
    async with world() as it:
        await it.kube.delete_collection(JOBS, "acme", labels="headgate.dev/job in (a,b)")

    assert (it.api.request.method, it.api.request.path) == ("DELETE", "/apis/batch/v1/namespaces/acme/jobs")
    assert it.api.request.query == {"labelSelector": "headgate.dev/job in (a,b)"}
    assert it.api.request.body == {"propagationPolicy": "Background"}
    counted = {"verb": "DELETECOLLECTION", "resource": "jobs", "code": "200"}
    assert it.registry.get_sample_value("headgate_kubernetes_requests_total", counted) == 1


async def test_a_list_comes_page_by_page() -> None:
    first = answer({"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [1]})
    second = answer({"metadata": {"resourceVersion": "7"}, "items": [2]})

    async with world(first, second) as it:
        pages = [page async for page in it.kube.list_pages(JOBS, labels="a=b", fields="c=d", namespace="acme")]

    assert [page["items"] for page in pages] == [[1], [2]]
    query = {"limit": "100", "labelSelector": "a=b", "fieldSelector": "c=d"}
    assert [seen.query for seen in it.api.seen] == [query, {**query, "continue": "more"}]


async def test_a_refusal_is_told_in_the_server_s_words() -> None:
    async with world(refusal(403, "Forbidden", "exceeded quota: compute")) as it:
        with pytest.raises(ApiError) as raised:
            await it.kube.create(JOBS, JOB)

    assert (raised.value.status, raised.value.reason, raised.value.message) == (
        403,
        "Forbidden",
        "exceeded quota: compute",
    )
    assert raised.value.is_forbidden


@pytest.mark.parametrize(
    ("status", "reason", "holds"),
    [
        (404, "NotFound", "is_not_found"),
        (409, "AlreadyExists", "is_already_exists"),
        (409, "Conflict", "is_conflict"),
        (409, "", "is_conflict"),
        (403, "Forbidden", "is_forbidden"),
        (400, "BadRequest", "is_invalid"),
        (422, "Invalid", "is_invalid"),
        (500, "InternalError", None),
    ],
)
async def test_refusals_are_told_apart(status: int, reason: str, holds: str | None) -> None:
    async with world(refusal(status, reason)) as it:
        with pytest.raises(ApiError) as raised:
            await it.kube.get(JOBS, "extract-1", "acme")

    names = ("is_not_found", "is_already_exists", "is_conflict", "is_forbidden", "is_invalid")
    assert [name for name in names if getattr(raised.value, name)] == ([holds] if holds else [])


@pytest.mark.parametrize("body", ["<html>bad gateway</html>", "[]", '"text"', ""])
async def test_a_refusal_need_not_be_a_status(body: str) -> None:
    async with world(web.Response(text=body, status=502)) as it:
        with pytest.raises(ApiError) as raised:
            await it.kube.get(JOBS, "extract-1", "acme")

    assert raised.value.status == 502


async def test_an_overlong_message_is_cut() -> None:
    async with world(refusal(500, "InternalError", "x" * 10_000)) as it:
        with pytest.raises(ApiError) as raised:
            await it.kube.get(JOBS, "extract-1", "acme")

    assert len(raised.value.message) == 2048


@pytest.mark.parametrize(
    ("refused", "pause"),
    [
        (refusal(429, "TooManyRequests", Retry_After="3"), 3.0),
        (refusal(429, "TooManyRequests"), 1.0),
        (refusal(429, "TooManyRequests", Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), 1.0),
        (refusal(429, "TooManyRequests", Retry_After="3600"), 5.0),
        (refusal(503, "ServiceUnavailable", Retry_After="2"), 2.0),
    ],
)
async def test_what_the_server_had_no_time_for_is_asked_for_again(refused: web.Response, pause: float) -> None:
    async with world(refused, refused, answer(JOB, 201)) as it:
        assert await it.kube.create(JOBS, JOB) == JOB

    assert it.pauses == [pause, pause]
    assert [seen.body for seen in it.api.seen] == [JOB] * 3


async def test_but_not_for_ever() -> None:
    async with world(refusal(429, "TooManyRequests")) as it:
        with pytest.raises(ApiError) as raised:
            await it.kube.get(JOBS, "extract-1", "acme")

    assert raised.value.status == 429
    assert len(it.api.seen) == 4


async def test_what_is_new_and_was_counted_at_the_same_time_as_others_is_asked_for_again() -> None:
    conflict = refusal(409, "Conflict", "Operation cannot be fulfilled on resourcequotas")
    async with world(conflict, conflict, answer(JOB, 201)) as it:
        assert await it.kube.create(JOBS, JOB) == JOB

    assert it.pauses == [0.2, 0.4]


async def test_a_change_of_what_others_have_changed_is_not_repeated() -> None:
    async with world(refusal(409, "Conflict")) as it:
        with pytest.raises(ApiError):
            await it.kube.replace(JOBS, JOB)

    assert len(it.api.seen) == 1


@pytest.mark.parametrize(
    "refused", [refusal(503, "ServiceUnavailable"), refusal(500, "InternalError"), refusal(409, "AlreadyExists")]
)
async def test_what_may_have_been_done_is_not_repeated(refused: web.Response) -> None:
    async with world(refused, answer()) as it:
        with pytest.raises(ApiError):
            await it.kube.create(JOBS, JOB)

    assert len(it.api.seen) == 1


async def test_where_nobody_listens_the_server_is_unreachable_and_the_message_says_no_address() -> None:
    port = unused_port()
    kube = KubeClient(a_connection(f"http://127.0.0.1:{port}"), KubeClient.counter(CollectorRegistry()))

    with pytest.raises(Unreachable) as raised:
        await kube.get(JOBS, "extract-1", "acme")
    await kube.aclose()

    assert str(port) not in str(raised.value)


async def test_where_the_connection_breaks_the_server_is_unreachable_and_nothing_is_repeated() -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with world(hang_up) as it:
        with pytest.raises(Unreachable):
            await it.kube.create(JOBS, JOB)

    assert len(it.api.seen) == 1


async def test_credentials_are_asked_for_at_every_request() -> None:
    tokens = (f"Bearer token-{number}" for number in itertools.count())

    async with world(bearer=lambda: next(tokens)) as it:
        for _ in range(2):
            await it.kube.get(JOBS, "extract-1", "acme")

    assert [seen.headers["Authorization"] for seen in it.api.seen] == ["Bearer token-0", "Bearer token-1"]


async def test_no_authorization_is_sent_where_there_is_no_token() -> None:
    async with world() as it:
        await it.kube.get(JOBS, "extract-1", "acme")

    assert "Authorization" not in it.api.request.headers


async def test_no_more_requests_are_under_way_than_allowed() -> None:
    under_way, most, full, go_on = 0, 0, asyncio.Event(), asyncio.Event()

    async def handle(_: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 3:
            full.set()
        await go_on.wait()
        under_way -= 1
        return web.json_response({})

    async with world(handle, concurrency=3) as it:
        asked = [asyncio.create_task(it.kube.get(JOBS, f"extract-{number}", "acme")) for number in range(12)]
        await full.wait()
        for _ in range(200):
            await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*asked)

    assert most == 3


async def test_while_it_waits_to_ask_again_others_are_served() -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await go_on.wait()

    async with world(refusal(429, "TooManyRequests"), answer(JOB), concurrency=1) as it:
        patient = KubeClient(it.kube._connection, it.kube._requests, concurrency=1, sleep=sleep)
        refused = asyncio.create_task(patient.get(JOBS, "first", "acme"))
        await waiting.wait()
        assert await patient.get(JOBS, "second", "acme") == JOB
        go_on.set()
        assert await refused == JOB
        await patient.aclose()


async def test_requests_are_counted_by_verb_resource_and_code() -> None:
    async with world(answer({"metadata": {}, "items": []}), refusal(409, "AlreadyExists")) as it:
        async for _ in it.kube.list_pages(JOBS):
            pass
        with pytest.raises(ApiError):
            await it.kube.create(JOBS, JOB)

    def count(verb: str, code: str) -> float | None:
        labels = {"verb": verb, "resource": "jobs", "code": code}
        return it.registry.get_sample_value("headgate_kubernetes_requests_total", labels)

    assert count("LIST", "200") == 1
    assert count("POST", "409") == 1


async def test_requests_without_an_answer_are_counted_too() -> None:
    registry = CollectorRegistry()
    kube = KubeClient(a_connection(f"http://127.0.0.1:{unused_port()}"), KubeClient.counter(registry))

    with pytest.raises(Unreachable):
        await kube.apply(JOBS, JOB)
    await kube.aclose()

    labels = {"verb": "APPLY", "resource": "jobs", "code": "none"}
    assert registry.get_sample_value("headgate_kubernetes_requests_total", labels) == 1


async def test_a_server_that_does_not_answer_is_left_alone_until_it_is_due_to_be_asked_again() -> None:
    seconds, ended = 0.0, asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        # The client gives up once the server has been asked, and not before.
        later(60)
        await ended.wait()
        return web.Response()

    async with world(hang) as it:
        guard = DependencyGuard(DependencyName.KUBERNETES, monotonic=lambda: seconds)
        kube = KubeClient(it.kube._connection, it.kube._requests, seconds=30, guard=guard)
        for _ in range(3):
            with pytest.raises(Unreachable):
                await kube.get(JOBS, "extract-1", "acme")
        it.api.answers[:] = [answer(JOB)]
        with pytest.raises(Unreachable, match="no answer from the API server"):
            await kube.get(JOBS, "extract-1", "acme")
        assert len(it.api.seen) == 3

        seconds = 2.0
        assert await kube.get(JOBS, "extract-1", "acme") == JOB
        await kube.aclose()
        ended.set()


async def test_what_the_server_refuses_or_fails_at_says_that_it_is_there() -> None:
    async with world(refusal(403, "Forbidden"), refusal(500, "InternalError")) as it:
        guard = DependencyGuard(DependencyName.KUBERNETES, monotonic=lambda: 0.0)
        kube = KubeClient(it.kube._connection, it.kube._requests, guard=guard)
        for _ in range(9):
            with pytest.raises(ApiError):
                await kube.get(JOBS, "extract-1", "acme")
        await kube.aclose()

    assert guard.there
