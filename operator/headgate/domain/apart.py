"""Test and Debug runs: what of a graph they run, what stands in for the rest, and where they stop. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from headgate.api.debugging import Breakpoint, BreakpointAt, Debug, Mock, NodePin, RunMode
from headgate.api.node import NodeConfig, NodeType
from headgate.api.workflow_run import NodePhase
from headgate.domain.graph import Graph, NodeState
from headgate.domain.runner_task import credentials_of

BREAKPOINT = "Breakpoint"
PINNED = "Pinned"
PIN_GONE = "PinGone"
MOCKED = "Mocked"
BEFORE_START = "BeforeStart"
AFTER_STOP = "AfterStop"
NEEDS_MOCK = "NeedsMock"

_PASSED, _AT, _RESUMED, _STEPPED, _STEPPING = "passed", "at", "resumed", "stepped", "stepping"
_OWN = (_PASSED, _AT, _RESUMED, _STEPPED, _STEPPING)
_REACH_OTHERS = ("http", "sql", "connector")
"""Configs whose work needs the network that a Test or Debug run does not have."""
NO_RUNNERS = "give it a mock: a script of a run that is a test needs the image of runners, and no gateway is installed"
"""Why a script cannot run where nothing says what runners are made of."""


@dataclass(frozen=True)
class GoingOn:
    """How often a run is to have been let go on from a breakpoint. Both numbers only grow."""

    resume: int = 0
    """To the next breakpoint."""
    step: int = 0
    """To what comes next."""


@dataclass(frozen=True)
class Apart:
    """How a run differs from a Normal one."""

    mode: RunMode = RunMode.NORMAL
    debug: Debug = field(default_factory=Debug)
    passed: frozenset[str] = frozenset()
    """Breakpoints at which the run stood and went on."""
    at: str | None = None
    """The breakpoint at which it stands."""
    resumed: int = 0
    """The last number by which it was let go on to the next breakpoint."""
    stepped: int = 0
    """The last number by which it was let go on by a step."""
    stepping: bool = False
    """Whether it was let go on by a step: it stops again before what comes next."""

    @classmethod
    def of(cls, mode: str, options: Mapping[str, Any]) -> Apart:
        """What is recorded of a run."""
        if mode == RunMode.NORMAL:
            return NORMAL
        debug = {key: value for key, value in options.items() if key not in _OWN}
        return cls(
            RunMode(mode),
            Debug.model_validate(debug),
            frozenset(options.get(_PASSED, ())),
            options.get(_AT),
            options.get(_RESUMED, 0),
            options.get(_STEPPED, 0),
            options.get(_STEPPING, False),
        )

    @property
    def is_normal(self) -> bool:
        """Whether there is no difference."""
        return self.mode is RunMode.NORMAL

    def options(self) -> dict[str, Any]:
        """As ``of`` reads it."""
        more: dict[str, Any] = {_PASSED: sorted(self.passed)} if self.passed else {}
        if self.at is not None:
            more[_AT] = self.at
        if self.resumed:
            more[_RESUMED] = self.resumed
        if self.stepped:
            more[_STEPPED] = self.stepped
        if self.stepping:
            more[_STEPPING] = True
        return {**self.debug.to_wire(), **more}

    def done_by(self, kind: str) -> str:
        """Who does what is of that kind in a Normal run: without a gateway there are no runners, and a Job does it."""
        return "job" if kind == "runner" and not self.is_normal else kind

    def mock(self, node: str) -> Mock | None:
        """What stands in for the node."""
        return next((mock for mock in self.debug.mocks if mock.node == node), None)

    def pin(self, node: str) -> NodePin | None:
        """The earlier run whose output the node has."""
        return next((pin for pin in self.debug.pins if pin.node == node), None)

    def stop(self, ready: Collection[str], states: Mapping[str, NodeState]) -> str | None:
        """The breakpoint that the run has come to and not passed: behind a node that ended, or before a ready one.

        A step lets all start that was ready where the run stood, and ends before what is ready next.
        """
        for point in self.debug.breakpoints if self.mode is RunMode.DEBUG else ():
            if _name(point) not in self.passed and _reached(point, ready, states[point.node].phase):
                return _name(point)
        before = [_name(Breakpoint(node=node)) for node in ready] if self.stepping else []
        return before[0] if before and self.passed.isdisjoint(before) else None

    def past(self, asked: GoingOn, ready: Collection[str] = ()) -> Apart | None:
        """Let go on from where it stands, once for each higher number; None where it stands nowhere, or stays.

        Going on comes before a step, which is left for where it stands next. Whoever asks with a number that is behind
        has not seen what was done since, and asked for another place. By a step what is ``ready`` there starts, but for
        nodes that have a breakpoint of their own.
        """
        done = GoingOn(self.resumed, self.stepped)
        if self.at is None or asked == done or asked.resume < done.resume or asked.step < done.step:
            return None
        stepping = asked.resume == done.resume
        stepped = asked.step if stepping else done.step
        own = {_name(point) for point in self.debug.breakpoints}
        before = {_name(Breakpoint(node=node)) for node in ready} - own if stepping else set()
        passed = self.passed | {self.at} | before
        return replace(self, passed=passed, at=None, resumed=asked.resume, stepped=stepped, stepping=stepping)

    def again(self, repeated: Collection[str]) -> Apart:
        """As it is where the run is retried: it stops anew at what runs again, and goes on by steps if it did."""
        passed = frozenset(name for name in self.passed if breakpoint_of(name).node not in repeated)
        return replace(self, passed=passed, at=None)


NORMAL = Apart()


def told(breakpoint_: str) -> str:
    """Why a run that stands at a breakpoint is held."""
    how = "resume it to let it go on, a WorkflowRun by spec.resume or, to what comes next, spec.step"
    return f"{BREAKPOINT}: it stands {breakpoint_}; {how}"


def breakpoint_of(at: str) -> Breakpoint:
    """The breakpoint at which a run stands, as it is recorded."""
    words, _, node = at.rpartition(" ")
    return Breakpoint(node=node, at=next(when for when, said in _WORDS.items() if said == words))


def _name(point: Breakpoint) -> str:
    return f"{_WORDS[point.at]} {point.node}"


_WORDS = {
    BreakpointAt.BEFORE: "before",
    BreakpointAt.AFTER: "after",
    BreakpointAt.FAILURE: "at the failure of",
}


def _reached(point: Breakpoint, ready: Collection[str], phase: NodePhase) -> bool:
    match point.at:
        case BreakpointAt.BEFORE:
            return point.node in ready
        case BreakpointAt.AFTER:
            return phase in (NodePhase.SUCCEEDED, NodePhase.FAILED)
        case BreakpointAt.FAILURE:
            return phase is NodePhase.FAILED


@dataclass(frozen=True)
class Pin:
    """What a node of an earlier run came to."""

    output: Any
    branch: str | None


@dataclass(frozen=True)
class Beginning:
    """How the nodes stand that a run does not start with."""

    pinned: Mapping[str, Pin]
    """Those that are taken from an earlier run."""
    mocked: tuple[str, ...]
    """Those for which mocks stand in although they come before the start."""
    skipped: Mapping[str, str]
    """Those that never run, with the reason."""


class Impossible(Exception):  # noqa: N818 - a mistake of whoever asks
    """What is asked for cannot be done; the message says what to change."""


def contradiction(mode: RunMode, debug: Debug) -> str | None:
    """What has to be said otherwise, whatever the workflow: what the API server asks of a WorkflowRun, and no other."""
    if mode is RunMode.NORMAL:
        return "set mode to Test or Debug, or remove debug"
    if debug.breakpoints and mode is not RunMode.DEBUG:
        return "set mode to Debug: only such a run stops at breakpoints"
    for what, items in (("mock", debug.mocks), ("pin", debug.pins)):
        twice = _twice(item.node for item in items)
        if twice is not None:
            return f"give node {twice!r} one {what}: it has several"
    place = _twice(_name(point) for point in debug.breakpoints)
    return f"name the breakpoint {place} once: it is there several times" if place is not None else None


def _twice(names: Iterable[str]) -> str | None:
    """The first that is there more than once."""
    return next((name for name, number in Counter(names).items() if number > 1), None)


def check(graph: Graph, debug: Debug) -> None:
    """Raise ``Impossible`` where it speaks of nodes that there are not, or says two things of one."""
    named = [mock.node for mock in debug.mocks] + [pin.node for pin in debug.pins]
    named += [point.node for point in debug.breakpoints]
    for name in [*named, debug.start_from, debug.stop_after]:
        if name is not None and (name not in graph.by_id or graph.by_id[name].type is NodeType.TRIGGER):
            raise Impossible(f"the workflow has no node {name!r} that debug could speak of")
    mocked = {mock.node for mock in debug.mocks}
    both = next((pin.node for pin in debug.pins if pin.node in mocked), None)
    if both is not None:
        raise Impossible(f"give node {both!r} either a mock or a pin: both say what it gives")


def no_run_to_pin(pin: NodePin) -> str:
    """What to do about a pin of a run that there is not."""
    return f"the workflow has no run {pin.run} to pin node {pin.node!r} to: name one that is kept by its status.runId"


def no_success_to_pin(pin: NodePin) -> str:
    """What to do about a pin of a run in which the node did not succeed."""
    return f"node {pin.node!r} did not succeed in run {pin.run}: pin it to a run in which it did, or give it a mock"


def pin_gone(pin: NodePin) -> str:
    """What to do where the run went while the node waited for its turn."""
    return f"run {pin.run}, to which the node is pinned, is not kept any more: pin it to a later one in another run"


def beginning(graph: Graph, debug: Debug, pins: Mapping[str, Pin]) -> Beginning:
    """Decide on the nodes that come before ``startFrom``, or not before ``stopAfter``. Raises ``Impossible``.

    ``pins`` are those of ``pinsFrom``, and over them those of single nodes; ``check`` has been passed. What is neither
    ``startFrom`` nor after it has the output of its mock or of the earlier run, and is skipped where it has neither;
    what ``startFrom`` itself depends on must have one of them.
    """
    before = _ancestors(graph)
    pinned: dict[str, Pin] = {}
    mocked: list[str] = []
    skipped: dict[str, str] = {}
    for node in graph.nodes:
        if node.type is NodeType.TRIGGER:
            continue
        if debug.stop_after is not None and node.id != debug.stop_after and node.id not in before[debug.stop_after]:
            skipped[node.id] = AFTER_STOP
        elif debug.start_from is None or node.id == debug.start_from or debug.start_from in before[node.id]:
            continue
        elif any(mock.node == node.id for mock in debug.mocks):
            mocked.append(node.id)
        elif node.id in pins:
            pinned[node.id] = pins[node.id]
        elif node.id in before[debug.start_from]:
            raise Impossible(
                f"give node {node.id!r} a mock, or name by pins or pinsFrom a run in which it succeeded: "
                f"it comes before {debug.start_from!r}"
            )
        else:
            skipped[node.id] = BEFORE_START
    return Beginning(pinned, tuple(mocked), skipped)


def needs_mock(config: NodeConfig) -> str | None:
    """Why a node of that config cannot run in a Test or Debug run; None where it can."""
    kind = next((name for name in _REACH_OTHERS if getattr(config, name) is not None), None)
    if kind is not None:
        problem = f"this node is of kind {kind}"
    elif config.script is not None and (named := sorted({ref.name for ref in credentials_of(config)})):
        problem = f"its script names credentials, which the gateway gives: {', '.join(named)}"
    else:
        return None
    return f"give it a mock: a run that is a test reaches nothing outside of itself, and {problem}"


def _ancestors(graph: Graph) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for node in graph.nodes:
        direct = frozenset(dependency.node for dependency in graph.edges[node.id])
        found[node.id] = direct.union(*(found[name] for name in direct))
    return found
