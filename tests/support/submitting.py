"""Many objects are asked for, a few at a time, and what became of each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.cluster.client import Object
from headgate.cluster.resources import QUOTAS, WORKFLOWS, WORKSPACES
from tests.support.cluster import condition
from tests.support.watching import Answer, Watch

KINDS = {kind.kind: kind for kind in (WORKFLOWS, QUOTAS, WORKSPACES)}
_AT_ONCE = 8
_TOO_MANY_REQUESTS = 429
_SHOWN = 3_000
_PARTS = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))


@dataclass(frozen=True)
class Outcome:
    """What became of one object."""

    manifest: Mapping[str, Any]
    answer: Answer
    told: Object | None = None
    """The object once it had a condition that speaks of it as it is."""
    seconds: float = 0.0
    """From the API server's answer until then."""

    @property
    def accepted(self) -> bool:
        """Whether there is such an object."""
        return self.answer.accepted

    @property
    def name(self) -> str:
        """The name of the object that was accepted."""
        return str(self.answer.body["metadata"]["name"])

    @property
    def refused(self) -> bool:
        """Whether the API server said what is wrong."""
        with_a_reason = bool(self.answer.message.strip())
        return 400 <= self.answer.status < 500 and self.answer.status != _TOO_MANY_REQUESTS and with_a_reason

    @property
    def why_not_ready(self) -> str:
        """The reason for which it is not Ready; empty where it is."""
        ready = condition(self.told or {}, "Ready")
        return "" if ready.get("status") == "True" else str(ready.get("reason", "no condition"))

    def __str__(self) -> str:
        wrote = json.dumps(self.manifest)[:_SHOWN]
        return f"answer {self.answer.status} {self.answer.message!r}, {self.why_not_ready or 'Ready'}: {wrote}"


def is_told(item: Object) -> bool:
    """Whether the object says whether it is Ready, and that of its present generation."""
    ready = condition(item, "Ready")
    return bool(ready) and ready.get("observedGeneration") == item["metadata"]["generation"]


async def submit(watch: Watch, manifests: Iterable[Mapping[str, Any]], within: float) -> list[Outcome]:
    """Create all, a few at a time, each of which is waited for so many seconds before the next one's turn."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(manifest: Mapping[str, Any]) -> Outcome:
        async with turns:
            answer = await watch.create(KINDS[manifest["kind"]], manifest)
            if not answer.accepted:
                return Outcome(manifest, answer)
            seen = await watch.seen(answer.body["metadata"]["uid"], within)
            if seen is None:
                return Outcome(manifest, answer)
            at, told = seen
            return Outcome(manifest, answer, told, max(0.0, at - answer.at))

    return await asyncio.gather(*map(one, manifests))


def figures(outcomes: Iterable[Outcome]) -> str:
    """How many became what, and how many seconds their conditions took, for people."""
    became: dict[str, list[float]] = {}
    for outcome in outcomes:
        what = (outcome.why_not_ready or "Ready") if outcome.accepted else "refused"
        became.setdefault(f"{outcome.manifest['kind']} {what}", []).append(outcome.seconds)
    return "\n".join(f"{len(seconds):5} {what}{_parts(seconds)}" for what, seconds in sorted(became.items()))


def _parts(seconds: list[float]) -> str:
    at = sorted(seconds)
    parts = {name: at[int(part * (len(at) - 1))] for name, part in _PARTS}
    return "".join(f", {name} {value:.2f} s" for name, value in parts.items()) if at[-1] else ""
