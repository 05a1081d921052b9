"""Complete lists of a kind, compared with what is cached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headgate.cluster.cache import Cache
from headgate.cluster.client import KubeClient, Object
from headgate.cluster.resources import LABELLED_RESOURCES
from headgate.desired.keys import ApiResource, ObjectKey
from headgate.desired.manifest import MANAGED_BY, MANAGED_BY_LABEL


@dataclass(frozen=True)
class Comparison:
    """What a list showed that the cache did not know."""

    news: int
    """Objects that were not known in that form."""
    gone: tuple[Object, ...]
    version: int
    """The version of the list: a watch from there on misses nothing."""


def selector(resource: ApiResource) -> str:
    """The label selector of what is watched of the kind: everything of Headgate's own, only what is ours of others."""
    return f"{MANAGED_BY_LABEL}={MANAGED_BY}" if resource in LABELLED_RESOURCES else ""


async def compare(
    kube: KubeClient, cache: Cache, resource: ApiResource, take_in: Callable[[ApiResource, Object], object]
) -> Comparison:
    """List a kind page by page. What is gone is dropped from the cache; ``take_in`` is given what changed.

    It is called page by page, so that no more than a page is held at once, and says whether what it got was news.
    Raises ``ApiError`` (404 where the kind does not exist) and ``Unreachable``.
    """
    listed: list[ObjectKey] = []
    news = version = 0
    async for page in kube.list_pages(resource, labels=selector(resource)):
        version = version or int(page["metadata"]["resourceVersion"])
        for item in page["items"]:
            key = resource.key(item["metadata"]["name"], item["metadata"].get("namespace") or "")
            listed.append(key)
            if not cache.knows(key, item):
                news += bool(take_in(resource, item))
    return Comparison(news, cache.retain(resource, listed, version), version)
