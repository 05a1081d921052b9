"""The cache against a naive model, under news that come late, twice, out of order, or not at all."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from headgate.cluster.cache import Cache
from headgate.cluster.resources import JOBS, PODS
from headgate.desired.keys import NETWORK_POLICY, ApiResource, ObjectKey
from headgate.desired.manifest import MANAGED_BY, MANAGED_BY_LABEL, WORKSPACE_LABEL

Item = dict[str, Any]
_RESOURCES: tuple[ApiResource, ...] = (NETWORK_POLICY, JOBS, PODS)
_resources = st.sampled_from((NETWORK_POLICY, NETWORK_POLICY, JOBS, PODS))
_names = st.sampled_from(["a", "a", "a", "b"])
_labels = st.fixed_dictionaries(
    {MANAGED_BY_LABEL: st.sampled_from([MANAGED_BY, "helm"])},
    optional={
        WORKSPACE_LABEL: st.sampled_from(["acme", "globex"]),
        "headgate.dev/run": st.sampled_from(["r1", "r2"]),
        "batch.kubernetes.io/job-name": st.sampled_from(["j1", "j2"]),
    },
)


class CacheUnderLateNews(RuleBasedStateMachine):
    """A server that changes objects, and a cache that is told of it in any order."""

    news = Bundle("news")

    @initialize()
    def start(self) -> None:
        self.version = 0
        self.server: dict[ObjectKey, Item] = {}
        self.cache = Cache()
        self.known: dict[ObjectKey, Item] = {}
        """The naive model: what the cache should hold."""
        self.gone: dict[str, int] = {}

    @rule(target=news, resource=_resources, name=_names, labels=_labels)
    def write(self, resource: ApiResource, name: str, labels: dict[str, str]) -> tuple[ApiResource, Item, bool]:
        self.version += 1
        key = resource.key(name, "acme")
        uid = self.server[key]["metadata"]["uid"] if key in self.server else f"uid-{self.version}"
        self.server[key] = {
            "metadata": {
                "name": name,
                "namespace": "acme",
                "uid": uid,
                "resourceVersion": str(self.version),
                "labels": labels,
            },
            "spec": {},
        }
        return resource, self.server[key], True

    @rule(target=news, resource=_resources, name=_names)
    def delete(self, resource: ApiResource, name: str) -> tuple[ApiResource, Item, bool]:
        self.version += 1
        item = self.server.pop(resource.key(name, "acme"), None)
        if item is None:
            absent = {"name": name, "namespace": "acme", "uid": f"uid-{self.version}", "labels": {}}
            item = {"metadata": absent, "spec": {}}
        item = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
        return resource, item, False

    @rule(told=news)
    def tell_again_and_again(self, told: tuple[ApiResource, Item, bool]) -> None:
        self._tell(*told)

    @rule(told=consumes(news))
    def tell(self, told: tuple[ApiResource, Item, bool]) -> None:
        self._tell(*told)

    def _tell(self, resource: ApiResource, item: Item, exists: bool) -> None:
        metadata = item["metadata"]
        key, uid, version = resource.key(metadata["name"], "acme"), metadata["uid"], int(metadata["resourceVersion"])
        before = self.known.get(key)
        if exists:
            news = version > self._version(before) and version > self.gone.get(uid, -1)
            if news:
                if before is not None and before["metadata"]["uid"] != uid:
                    self._note(before["metadata"]["uid"], version)
                self.known[key] = item
            assert self.cache.knows(key, item) != news
            assert self.cache.upsert(resource, item) == (news and _content(before) != _content(item))
        else:
            same = before is not None and before["metadata"]["uid"] == uid
            news = same and version >= self._version(before)
            if news:
                del self.known[key]
            if news or not same:
                self._note(uid, version)
            assert self.cache.remove(resource, item) == news

    @rule(resource=_resources)
    def resync(self, resource: ApiResource) -> None:
        """What a complete list says is so, whatever was told before."""
        there = {key: item for key, item in self.server.items() if key.kind == resource.kind}
        gone = self.cache.retain(resource, there, self.version)
        assert {item["metadata"]["uid"] for item in gone} == {
            item["metadata"]["uid"]
            for key, item in self.known.items()
            if key.kind == resource.kind and key not in there
        }
        for key in [key for key in self.known if key.kind == resource.kind and key not in there]:
            self._note(self.known.pop(key)["metadata"]["uid"], self.version)
        for item in there.values():
            self._tell(resource, item, exists=True)
        assert {key: self.cache.uid(key) for key in self.cache.keys(resource)} == {
            key: item["metadata"]["uid"] for key, item in there.items()
        }

    @invariant()
    def holds_what_it_should(self) -> None:
        held = {key: self.cache.get(key) for resource in _RESOURCES for key in self.cache.keys(resource)}
        assert {key: (item or {})["metadata"] for key, item in held.items()} == {
            key: item["metadata"] for key, item in self.known.items()
        }
        assert self.cache.size == len(self.known)

    @invariant()
    def finds_what_a_search_through_everything_would(self) -> None:
        for workspace in ("acme", "globex"):
            assert {key for key, _ in self.cache.children(workspace)} == {
                key
                for key, item in self.known.items()
                if key.kind == NETWORK_POLICY.kind
                and item["metadata"]["labels"].get(MANAGED_BY_LABEL) == MANAGED_BY
                and item["metadata"]["labels"].get(WORKSPACE_LABEL) == workspace
            }
        for run in ("r1", "r2"):
            assert {key for key, _ in self.cache.jobs_of(run)} == self._labelled(JOBS, "headgate.dev/run", run)
        for job in ("j1", "j2"):
            found = {pod["metadata"]["name"] for pod in self.cache.pods_of(JOBS.key(job, "acme"))}
            wanted = self._labelled(PODS, "batch.kubernetes.io/job-name", job)
            assert found == {key.name for key in wanted}

    def _labelled(self, resource: ApiResource, label: str, value: str) -> set[ObjectKey]:
        return {
            key
            for key, item in self.known.items()
            if key.kind == resource.kind and item["metadata"]["labels"].get(label) == value
        }

    def _version(self, item: Item | None) -> int:
        return int(item["metadata"]["resourceVersion"]) if item is not None else -1

    def _note(self, uid: str, version: int) -> None:
        self.gone[uid] = max(version, self.gone.get(uid, -1))


TestCacheUnderLateNews = CacheUnderLateNews.TestCase
TestCacheUnderLateNews.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)


def _content(item: Item | None) -> Item | None:
    """All but the resource version."""
    if item is None:
        return None
    metadata = {key: value for key, value in item["metadata"].items() if key != "resourceVersion"}
    return {**item, "metadata": metadata}
