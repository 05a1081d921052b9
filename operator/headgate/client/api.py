"""The HTTP API's client. Generated from its OpenAPI document by `python -m hack.generate`; do not edit."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, NotRequired, TypedDict, cast

from headgate.client.transport import Answer, Transport, path_of

ActOutcome = Literal[
    "Done",
    "Refused",
]
"""What came of it."""

Action = Literal[
    "run.start",
    "run.cancel",
    "run.suspend",
    "run.resume",
    "run.retry",
    "run.prioritize",
    "run.approve",
    "run.reject",
    "key.create",
    "key.revoke",
    "credential.put",
    "credential.delete",
    "credential.rotate",
    "credential.release",
    "delivery.redeliver",
    "cursor.reset",
    "call",
    "workspace.create",
    "workspace.change",
    "workspace.retire",
    "breaker.reset",
]
"""What was done."""

BreakerState = Literal[
    "Closed",
    "Open",
    "HalfOpen",
]
"""What the circuit breaker does with new runs."""

BreakpointAt = Literal[
    "Before",
    "After",
    "Failure",
]
"""When a run stops at a node."""

Grouping = Literal[
    "day",
    "workflow",
    "label",
]
"""By what costs are added up."""

NodePhase = Literal[
    "Pending",
    "Queued",
    "Running",
    "Succeeded",
    "Failed",
    "Skipped",
    "Cancelled",
]
"""Where a node of a run stands."""

Outcome = Literal[
    "accepted",
    "filtered",
    "refused",
]
"""What became of a delivery, or of it at one trigger."""

Role = Literal[
    "owner",
    "editor",
    "viewer",
]
"""What a member may do."""

Rule = Literal[
    "Retry",
    "Repair",
    "Timeout",
]
"""What is recommended."""

RunMode = Literal[
    "Normal",
    "Test",
    "Debug",
]
"""What a run is for."""

RunPhase = Literal[
    "Pending",
    "Running",
    "Suspended",
    "Succeeded",
    "Failed",
    "Cancelled",
]
"""Where a run stands."""

Scope = Literal[
    "runs:read",
    "runs:write",
    "workflows:read",
    "usage:read",
    "keys:manage",
    "credentials:manage",
    "audit:read",
]
"""What a caller may do."""

SearchKind = Literal[
    "workflow",
    "run",
    "recommendation",
]
"""What is looked for."""

TriggerKind = Literal[
    "resource",
    "schedule",
    "event",
    "call",
    "api",
    "webhook",
]
"""What asked for a run."""

WebhookFormat = Literal[
    "standard",
    "github",
]
"""How a sender signs what it sends."""


class Analytics(TypedDict):
    """How runs fared that ended in a span of days. It is at most a minute behind."""

    total: int
    """All of them."""
    successful: int
    """Those that succeeded."""
    failed: int
    """Those that failed."""
    cancelled: int
    """Those that were cancelled."""
    successRate: float | None
    """The share that succeeded of those that succeeded or failed; null where there are none."""
    averageDurationMs: int | None
    """Milliseconds from when a run was asked for to its end."""
    p95DurationMs: int | None
    """Milliseconds within which 95 percent ended, at most 4.5 percent off."""
    averageQueueMs: int | None
    """Milliseconds from when a run was asked for to its start. Runs that were taken up again are left out."""
    cost: str | None
    """What the attempts cost that ended; null where nothing had a price."""
    since: str
    """The first day."""
    until: str
    """The last day."""
    attempts: int
    """Attempts of nodes that ended."""
    trend: float | None
    """By how much the success rate of the later half of the days is above the earlier one's; null without both."""
    healthScore: int | None
    """From 0 to 100: 80 times the success rate, 10 for one that does not fall, and 10 for runs that start at once.
    """
    days: list[AnalyticsDay]
    """The days on which something ended, the oldest first."""
    slowestNodes: list[SlowNode]
    """The ten nodes whose attempts took longest on average."""


class AnalyticsDay(TypedDict):
    """A day on which something ended."""

    total: int
    """All of them."""
    successful: int
    """Those that succeeded."""
    failed: int
    """Those that failed."""
    cancelled: int
    """Those that were cancelled."""
    successRate: float | None
    """The share that succeeded of those that succeeded or failed; null where there are none."""
    averageDurationMs: int | None
    """Milliseconds from when a run was asked for to its end."""
    p95DurationMs: int | None
    """Milliseconds within which 95 percent ended, at most 4.5 percent off."""
    averageQueueMs: int | None
    """Milliseconds from when a run was asked for to its start. Runs that were taken up again are left out."""
    cost: str | None
    """What the attempts cost that ended; null where nothing had a price."""
    day: str
    """In UTC."""


class AuditActor(TypedDict):
    """Who did something."""

    kind: str
    """What it is: user, apikey, runner, kubernetes or command. A newer release may know others."""
    name: str
    """As the API names callers: a user, or ``apikey:`` and the id of a key; for others what stands for them."""
    via: str
    """How it is known that it was they."""


class AuditEntry(TypedDict):
    """Something that was done."""

    sequence: int
    """Counts the workspace's entries from 1, without a gap."""
    at: str
    """When it was done."""
    actor: AuditActor
    """Who did it."""
    action: str
    """What was done. A newer release may know others than the filter takes."""
    object: str
    """What it was done to."""
    outcome: ActOutcome
    detail: dict[str, Any]
    """More about it, by action. No values of credentials, and no inputs."""
    hash: str
    """SHA-256 of the entry and, through the hash of the entry before it, of all entries before."""


class AuditList(TypedDict):
    """A page of the audit log, the newest first."""

    items: list[AuditEntry]
    """The entries."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class Breakpoint(TypedDict):
    """Suspends the run at a node, until it is resumed."""

    node: str
    """The node."""
    at: NotRequired[BreakpointAt]
    """Before it starts, after it ended, or when it failed."""


class CancelRun(TypedDict):
    """Says why a run is cancelled."""

    reason: NotRequired[str]
    """Kept as the run's error message."""


class CircuitBreaker(TypedDict):
    """Whether failures hold new runs back."""

    state: BreakerState
    """Closed lets all start, Open none, HalfOpen a few."""
    failures: int
    """Failed runs that count right now."""
    retryAt: str | None
    """When runs are tried again; null while it is closed."""


class Compute(TypedDict):
    """CPU and memory of an attempt."""

    cpu: str
    """CPUs."""
    memoryBytes: int
    """Bytes of memory."""


class CopyCursor(TypedDict):
    """How far the copy of a node has come."""

    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    node: str
    """The node; of one that runs for each item of a list, with a dot and the item's index behind it."""
    batches: int
    """How many batches were written, since it began at the beginning."""
    records: int
    """How many records these had."""
    runId: str
    """The run that copied last."""
    attempt: int
    """Which attempt of the node in that run."""
    held: bool
    """Whether that attempt copies right now. It cannot be reset then."""
    updatedAt: str
    """When it was taken or moved last."""


class CopyCursorDetail(TypedDict):
    """How far the copy of a node has come, and where it stands in the words of its source."""

    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    node: str
    """The node; of one that runs for each item of a list, with a dot and the item's index behind it."""
    batches: int
    """How many batches were written, since it began at the beginning."""
    records: int
    """How many records these had."""
    runId: str
    """The run that copied last."""
    attempt: int
    """Which attempt of the node in that run."""
    held: bool
    """Whether that attempt copies right now. It cannot be reset then."""
    updatedAt: str
    """When it was taken or moved last."""
    reached: str | None
    """All up to there is written: values of columns, offsets by partition, or a member of an item; null before
    that.
    """
    pending: str | None
    """Up to where a batch is being written that will be the same when it is written again; null where there is
    none.
    """


class CopyCursorList(TypedDict):
    """A page of cursors, by namespace, workflow and node."""

    items: list[CopyCursor]
    """The cursors."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class CostItem(TypedDict):
    """What was spent on one thing."""

    name: str
    """The day, the workflow, or the value of the label."""
    namespace: str | None
    """The workflow's namespace; null where it is no workflow."""
    cost: str
    """What the attempts cost that ended in the span."""
    use: MeasuredUse | None
    """What they used; null where nothing was measured, and by labels, where it is not added up."""


class CostList(TypedDict):
    """A page of what was spent."""

    since: str
    """The first day."""
    until: str
    """The last day."""
    total: str | None
    """What the workspace spent in all; null where nothing had a price."""
    use: MeasuredUse | None
    """What its attempts used in all; null, and never nothing, where nothing was measured: they cost their requests.
    """
    items: list[CostItem]
    """By name. What has no price is left out."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class CreateKey(TypedDict):
    """Asks for a key."""

    name: str
    """What it is for; need not be unique."""
    role: Role
    """What it may do at most."""
    scopes: NotRequired[list[Scope] | None]
    """What it may do, within its role; all that the role allows now when absent."""
    expiresAt: NotRequired[str | None]
    """The moment from which it is not good any more, within ten years; never when absent."""


class Credential(TypedDict):
    """A credential without its values, which only nodes that name them are given."""

    name: str
    """As nodes name it."""
    kind: str
    """What its values are for."""
    version: int
    """Counts the values that it had."""
    createdAt: str
    """When its first version was put."""
    createdBy: str
    """Who put that."""
    updatedAt: str
    """When this version was put."""
    updatedBy: str
    """Who put that."""


class CredentialList(TypedDict):
    """All credentials of a workspace, by name."""

    items: list[Credential]
    """The credentials."""


class Debug(TypedDict):
    """What a Test or Debug run does otherwise. Such a run counts for no quota, health or cost figure."""

    mocks: NotRequired[list[Mock]]
    """Nodes that do not run, and what they give instead."""
    pins: NotRequired[list[NodePin]]
    """Nodes that do not run, and the earlier runs whose outputs they have, wherever they stand."""
    pinsFrom: NotRequired[str | None]
    """Id of an earlier run whose outputs the nodes before ``startFrom`` have, but for those in ``pins``."""
    startFrom: NotRequired[str | None]
    """The node to begin with; those before it have the outputs of ``pins``, ``pinsFrom`` or ``mocks``."""
    stopAfter: NotRequired[str | None]
    """The node after which the run ends."""
    breakpoints: NotRequired[list[Breakpoint]]
    """Where the run stops, at several moments of a node where it is named several times; Debug runs only."""


class DecideApproval(TypedDict):
    """A decision on an approval node that waits for one."""

    node: str
    """The approval node."""
    attempt: NotRequired[int | None]
    """The attempt that is decided; the one that waits when absent."""
    comment: NotRequired[str]
    """Why. Later nodes can read it."""


class Delivery(TypedDict):
    """A delivery that was signed as it has to be. Its body is kept encrypted, and not shown."""

    id: str
    """Unique for ever."""
    hook: str
    """The webhook that took it."""
    format: WebhookFormat
    """How it was signed."""
    messageId: str
    """Its sender's name for it: the same when it is sent again."""
    event: str
    """The type of its event; empty where it says none."""
    receivedAt: str
    """When it came first."""
    attempts: int
    """How often triggers looked at it: again when it was sent again after something had refused it."""
    outcome: Outcome
    """Accepted where any trigger made a run; else refused where any refused it; else filtered."""
    reason: str
    """Why no trigger was asked, in one stable word; empty otherwise."""
    message: str
    """The same for people."""
    results: list[DeliveryResult]
    """What became of it, by trigger."""
    headers: dict[str, str]
    """Headers that say what came; signatures are not kept."""
    bodyBytes: int
    """Bytes of the body."""
    kept: bool
    """Whether its body was kept; of one that was made again it lies with the first."""
    redeliveryOf: str | None
    """The delivery that came first, where this one was made from it; null where its sender sent it."""
    requestedBy: str | None
    """Who asked for it to be made again."""


class DeliveryList(TypedDict):
    """A page of deliveries, the newest first."""

    items: list[Delivery]
    """The deliveries."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class DeliveryResult(TypedDict):
    """What a trigger made of a delivery."""

    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    node: str
    """The trigger node."""
    outcome: Outcome
    """Accepted with a run, filtered, or refused."""
    runId: str | None
    """The run; null where there is none."""
    reason: str
    """Why there is none, in one stable word."""
    message: str
    """The same for people."""


class HoldRun(TypedDict):
    """Says why a run is held."""

    reason: NotRequired[str]
    """Shown as what the run waits for."""


class Key(TypedDict):
    """A key, without what is needed to use it."""

    id: str
    """Unique for ever."""
    name: str
    """What it is for."""
    role: Role
    """What it may do at most."""
    scopes: list[Scope]
    """What it may do."""
    createdAt: str
    """When it was made."""
    createdBy: str
    """Who made it."""
    expiresAt: str | None
    """The moment from which it is not good any more; null for never."""
    lastUsedAt: str | None
    """When it was last used, to the minute; null for never."""
    revokedAt: str | None
    """When it was revoked; null where it was not."""
    revokedBy: str | None
    """Who revoked it."""


class KeyList(TypedDict):
    """A page of keys, the newest first."""

    items: list[Key]
    """The keys, revoked ones too."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class LimitUse(TypedDict):
    """One limit and what is used of it."""

    name: str
    """As the Quota names it."""
    used: int
    """What the workspace uses."""
    limit: int
    """What may be used."""
    usedTogether: int | None
    """What all workspaces use that have the limit together; null where it is the workspace's own."""


class MeasuredUse(TypedDict):
    """What attempts used of what they requested: those alone of which it was measured, so that both can be
    compared.
    """

    attempts: int
    """How many these are."""
    cpuHoursRequested: str
    """CPUs that they requested, times hours."""
    cpuHoursUsed: str
    """CPUs that they used in the mean, times hours."""
    memoryGibHoursRequested: str
    """GiB of memory that they requested, times hours."""
    memoryGibHoursUsed: str
    """GiB of memory that they used in the mean, times hours."""


class Mock(TypedDict):
    """A node that does not run: it has this output, or fails so."""

    node: str
    """The node."""
    output: NotRequired[Any]
    """Its output; any JSON, 4096 bytes at most."""
    failure: NotRequired[str | None]
    """The message with which it fails, where it is to fail."""


class NewKey(TypedDict):
    """A key that was just made."""

    id: str
    """Unique for ever."""
    name: str
    """What it is for."""
    role: Role
    """What it may do at most."""
    scopes: list[Scope]
    """What it may do."""
    createdAt: str
    """When it was made."""
    createdBy: str
    """Who made it."""
    expiresAt: str | None
    """The moment from which it is not good any more; null for never."""
    lastUsedAt: str | None
    """When it was last used, to the minute; null for never."""
    revokedAt: str | None
    """When it was revoked; null where it was not."""
    revokedBy: str | None
    """Who revoked it."""
    key: str
    """The key itself. It is nowhere kept and shown this once."""


class NodePin(TypedDict):
    """A node that does not run: when its turn comes, it has what it came to in an earlier run of the workflow."""

    node: str
    """The node."""
    run: str
    """Id of the run, in which the node succeeded."""


class ProblemDetails(TypedDict):
    """Why a request was refused, and what to change (RFC 9457)."""

    type: str
    """Always ``about:blank``: the status says what kind of problem it is."""
    title: str
    """The status in words."""
    status: int
    """The status."""
    detail: str
    """What is wrong, and what to change."""
    reason: NotRequired[str | None]
    """Why, in one stable word for programs, where the status does not tell."""


class PutCredential(TypedDict):
    """What a credential is to hold from now on."""

    kind: NotRequired[str]
    """What its values are for, in a word; not secret."""
    values: dict[str, str]
    """All its values, by the keys that nodes name; 32 KiB at most in all."""


class RecommendationItem(TypedDict):
    """Something that could go better."""

    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    node: str
    """The node that is to change."""
    rule: Rule
    """What to change, in one stable word."""
    message: str
    """The same for people, with what it is said from."""
    madeAt: str
    """When it was said first in these words."""


class RecommendationList(TypedDict):
    """What is recommended, by how nodes fared in the last seven days. It is made anew each day."""

    items: list[RecommendationItem]
    """By workflow and node, 500 at most."""


class ResumeRun(TypedDict):
    """Says how far a run goes on."""

    step: NotRequired[bool]
    """At a breakpoint: let start what may start there, and stop again before what comes next."""


class Rotated(TypedDict):
    """What became of the credentials of a workspace that was given a new data key."""

    resealed: int
    """How many lie under the new key now."""
    unreadable: list[str]
    """Names of those that cannot be decrypted any more: put them anew."""


class Run(TypedDict):
    """A run."""

    id: str
    """Unique for ever."""
    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    version: int
    """The version of the workflow that it keeps."""
    kind: TriggerKind
    """What asked for it: a WorkflowRun, a schedule, another run's end, a calling node, this API, or a webhook."""
    resource: str | None
    """The WorkflowRun that mirrors it and whose spec steers it; null where there is none."""
    mode: RunMode
    """Normal; or Test or Debug, which count for no quota, health or cost figure."""
    phase: RunPhase
    """Where it stands."""
    startedAt: str
    """When it was asked for."""
    finishedAt: str | None
    """When it ended."""
    errorMessage: str | None
    """Why it failed or was cancelled."""
    labels: dict[str, str]
    """What was given when it was asked for: of a WorkflowRun, its labels at that time."""
    priority: int
    """Higher ones start first."""
    retries: int
    """How often its failed nodes were run again."""
    cancelling: bool
    """Whether it was asked to end."""
    breakpoint: Breakpoint | None
    """Where a Debug run stands, until it is resumed; null while it stands at none."""
    inputs: dict[str, Any] | None
    """What a Test or Debug run was given, defaults included; null for a Normal one."""
    outputs: dict[str, Any] | None
    """What it gave, once it has succeeded."""
    cost: str | None
    """What its attempts cost that have ended, all of them; null where none had a price."""
    waitingFor: list[WaitingReason]
    """Why it does not go on right now."""
    nodes: list[RunNode]
    """In the workflow's order; triggers left out."""
    archived: bool
    """Whether it lies in the archive: it can be read, and not changed or replayed."""


class RunArtifact(TypedDict):
    """A file that an attempt left."""

    node: str
    """The node; of one that runs for each item of a list, with a dot and the item's index behind it."""
    attempt: int
    """Which attempt of the node."""
    name: str
    """What it is called."""
    bytes: int
    """How large it is."""
    sha256: str
    """The SHA-256 of what was kept, in hexadecimal."""
    contentType: str
    """What it is said to hold, by the end of its name. Nobody looked into it."""
    createdAt: str
    """When it was kept."""


class RunArtifactList(TypedDict):
    """A page of files, by node, attempt and name."""

    items: list[RunArtifact]
    """The files."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class RunItem(TypedDict):
    """A run in a list."""

    id: str
    """Unique for ever."""
    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    version: int
    """The version of the workflow that it keeps."""
    kind: TriggerKind
    """What asked for it: a WorkflowRun, a schedule, another run's end, a calling node, this API, or a webhook."""
    resource: str | None
    """The WorkflowRun that mirrors it and whose spec steers it; null where there is none."""
    mode: RunMode
    """Normal; or Test or Debug, which count for no quota, health or cost figure."""
    phase: RunPhase
    """Where it stands."""
    startedAt: str
    """When it was asked for."""
    finishedAt: str | None
    """When it ended."""
    errorMessage: str | None
    """Why it failed or was cancelled."""
    labels: dict[str, str]
    """What was given when it was asked for: of a WorkflowRun, its labels at that time."""
    durationMs: int | None
    """Milliseconds from the one to the other."""
    waiting: str | None
    """Why it has not started, in one stable word."""


class RunList(TypedDict):
    """A page of runs, the newest first."""

    items: list[RunItem]
    """The runs."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class RunNode(TypedDict):
    """A node of a run: its latest attempt."""

    id: str
    """The node."""
    phase: NodePhase
    """Where it stands."""
    attempt: int
    """The attempt that the phase speaks of, from 1; 0 when none was made."""
    startedAt: str | None
    """When the attempt started."""
    finishedAt: str | None
    """When the attempt ended."""
    reason: str
    """Why the phase is what it is, in one word, where that is not obvious."""
    message: str
    """The same for people."""
    output: NotRequired[Any]
    """What it gave."""
    cost: str | None
    """What the attempt cost, once it has ended; null where it had no price."""
    priceVersion: str | None
    """The price table by which: the beginning of its hash."""
    requested: Compute | None
    """What the attempt requests, defaults of its namespace included; null until it is known to run."""
    used: Compute | None
    """What it used in the mean, once it has ended; null where nothing was measured, and it costs what it requests.
    """


class SearchHit(TypedDict):
    """Something that has the words."""

    kind: SearchKind
    """What it is."""
    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow, or that of the run."""
    version: int | None
    """The workflow's current version; null for anything else."""
    runId: str | None
    """The run; null where it is none."""
    phase: RunPhase | None
    """Where the run stands; null where it is none."""
    node: str | None
    """The node that is to change; null where nothing is recommended."""
    at: str
    """When the run was asked for, the workflow's version was made, or it was recommended."""
    text: str
    """The run's error message, the workflow's display name, or what is recommended."""


class SearchHits(TypedDict):
    """A page of what was found: runs the newest first, the others in the order in which they fit."""

    items: list[SearchHit]
    """What has the words. It may be fewer than asked for where there is more."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class SlowNode(TypedDict):
    """How long a node's attempts took."""

    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    node: str
    """The node."""
    attempts: int
    """Attempts that ended; each item of a list is one."""
    failed: int
    """Those that failed."""
    averageDurationMs: int
    """Milliseconds on average."""
    longestDurationMs: int
    """Milliseconds of the longest one."""
    cost: str | None
    """What they cost; null where they had no price."""


class StartRun(TypedDict):
    """Asks for a run."""

    workflow: str
    """The workflow to run."""
    namespace: NotRequired[str | None]
    """The workflow's namespace; the one of the workspace's name when absent."""
    trigger: NotRequired[str | None]
    """The manual trigger to start from; the first one when absent."""
    inputs: NotRequired[dict[str, Any]]
    """Values for the workflow's inputs; any JSON, 64 KiB at most in all."""
    version: NotRequired[int | None]
    """The version of the workflow to run; the current one when absent."""
    mode: NotRequired[RunMode]
    """Normal, or Test or Debug: such runs count for no quota, health or cost figure, and reach no network."""
    debug: NotRequired[Debug | None]
    """What a Test or Debug run does otherwise, as the spec of a WorkflowRun says it."""
    priority: NotRequired[int | None]
    """Goes before the workflow's own priority."""
    replayOf: NotRequired[str | None]
    """An earlier run of the workflow, whose inputs and trigger this one takes where it says nothing itself."""
    labels: NotRequired[dict[str, str]]
    """By what the run can be found later, in the form of labels in Kubernetes; those of headgate.dev/ are its own.
    """


class Usage(TypedDict):
    """What a workspace uses of its plan right now."""

    shared: bool
    """Whether several workspaces have the limits together."""
    runningRuns: int
    """Runs under way; those that run in the place of their caller count for no limit."""
    pendingRuns: int
    """Runs that wait to start."""
    limits: list[LimitUse]
    """The limits that Headgate counts. Compute is counted by Kubernetes, in the Workspace's status."""
    spentThisMonth: str
    """What the attempts cost that ended since the month of UTC began."""
    budget: str | None
    """What may be spent in a month; null for any amount."""
    usedThisMonth: MeasuredUse | None
    """What these attempts used of what they requested; null, and never nothing, where nothing was measured."""
    circuitBreaker: CircuitBreaker


class Version(TypedDict):
    """A version of a workflow with what it says."""

    number: int
    """Counts from 1."""
    createdAt: str
    """When it was first accepted."""
    contentHash: str
    """SHA-256, in hexadecimal, of what it says."""
    current: bool
    """Whether new runs start with it."""
    spec: dict[str, Any]
    """The Workflow's spec."""


class VersionDiff(TypedDict):
    """What changed between two versions of a workflow."""

    before: int
    """The one version."""
    after: int
    """The other one."""
    diff: str
    """A unified diff of their specs as YAML; empty where they say the same."""


class VersionItem(TypedDict):
    """A version of a workflow. It never changes."""

    number: int
    """Counts from 1."""
    createdAt: str
    """When it was first accepted."""
    contentHash: str
    """SHA-256, in hexadecimal, of what it says."""
    current: bool
    """Whether new runs start with it."""


class VersionList(TypedDict):
    """A page of versions, the newest first."""

    items: list[VersionItem]
    """The versions."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class WaitingReason(TypedDict):
    """One thing that a run waits for."""

    node: str | None
    """The node that waits; null when the whole run does."""
    reason: str
    """Why, in one stable word."""
    message: str
    """Why, and what to do about it."""
    until: str | None
    """When it may go on by itself, where that is known."""


class Webhook(TypedDict):
    """A webhook of the workspace."""

    hook: str
    """Its name."""
    path: str
    """Where it takes deliveries, on the gateway."""
    triggers: list[WebhookTrigger]
    """What takes its deliveries."""
    refused: int
    """Requests that none of its secrets had signed. They are counted, and not kept."""
    lastRefusedAt: str | None
    """When the last of these came; null where none did."""


class WebhookDetail(TypedDict):
    """A webhook, and whether anything can be signed for it."""

    hook: str
    """Its name."""
    path: str
    """Where it takes deliveries, on the gateway."""
    triggers: list[WebhookTrigger]
    """What takes its deliveries."""
    refused: int
    """Requests that none of its secrets had signed. They are counted, and not kept."""
    lastRefusedAt: str | None
    """When the last of these came; null where none did."""
    problems: dict[str, str]
    """By trigger, why nothing can be signed for it and what to change; empty where all is well."""


class WebhookList(TypedDict):
    """A page of webhooks, by name."""

    items: list[Webhook]
    """The webhooks."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class WebhookTrigger(TypedDict):
    """A trigger that takes the deliveries of a webhook."""

    namespace: str
    """The workflow's namespace."""
    workflow: str
    """The workflow."""
    node: str
    """The trigger node."""
    format: WebhookFormat
    """How deliveries are signed."""
    events: list[str]
    """Types of events that count; all of them when empty."""


class WhoAmI(TypedDict):
    """Who calls."""

    subject: str
    """A user as Kubernetes names it, or ``apikey:`` and the id of a key."""
    role: Role
    """The caller's role in the workspace."""
    scopes: list[Scope]
    """What the caller may do."""


class WorkflowItem(TypedDict):
    """A workflow that there is. It is changed in Kubernetes, and only there."""

    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    suspended: bool
    """Whether no run of it starts."""
    createdAt: str
    """When it was first accepted."""
    version: int
    """The version that new runs start with."""
    versionCreatedAt: str
    """When that version was first accepted."""
    contentHash: str
    """SHA-256, in hexadecimal, of what that version says."""


class WorkflowList(TypedDict):
    """A page of workflows, by namespace and name."""

    items: list[WorkflowItem]
    """The workflows."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class WorkspaceInfo(TypedDict):
    """A workspace."""

    id: str
    """Unique for ever, while a name may be used again."""
    name: str
    """Its name."""
    suspended: bool
    """Whether no run starts."""
    caller: WhoAmI


class WorkspaceItem(TypedDict):
    """A workspace in a list."""

    id: str
    """Unique for ever, while a name may be used again."""
    name: str
    """Its name."""
    suspended: bool
    """Whether no run starts."""
    role: Role
    """The caller's role in it."""


class WorkspaceList(TypedDict):
    """A page of workspaces, by name."""

    items: list[WorkspaceItem]
    """The workspaces."""
    nextCursor: str | None
    """Gives the next page; null on the last one."""


class EndEvent(TypedDict):
    """The last event of a stream: the data of the event ``end``."""

    reason: str
    """``RunEnded``, or ``AccessEnded`` where the caller may not read it any more."""


class LostEvent(TypedDict):
    """Changes may be missing before the next event: the data of the event ``lost``."""

    detail: str
    """Why, and what to do about it."""


class RunEvent(TypedDict):
    """A run that is new or not what it was: the data of the event ``run``."""

    runId: str
    """The run."""
    phase: RunPhase
    """Where it stands since then."""
    reason: str
    """Why it waits, is held or is being ended, in one word; empty otherwise."""
    changedAt: str
    """When it changed."""


class StepEvent(TypedDict):
    """An attempt of a node that is new or not what it was: the data of the event ``step``."""

    runId: str
    """The run."""
    node: str
    """The node; of one that runs for each item of a list, with a dot and the item's index behind it."""
    attempt: int
    """The attempt, from 1; 0 for a node that needed none."""
    phase: NodePhase
    """Where it stands since then."""
    reason: str
    """Why, in one word; empty where that is obvious."""
    logKept: bool
    """Whether its log can be had in full."""
    changedAt: str
    """When it changed."""


class Client:
    """The operations of the API. They raise what their transport raises."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_workspaces(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> WorkspaceList:
        """List the workspaces that the caller belongs to, by name: a key has its own one, a user those that name
        them.

        One that somebody was just made a member of, or taken off, may take 5 seconds to come or to go.
        """
        return cast(
            "WorkspaceList",
            await self._transport.call(
                "GET",
                path_of("/api/v1/workspaces"),
                query={
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def get_workspace(
        self,
        workspace: str,
    ) -> WorkspaceInfo:
        """The workspace, and what the caller may do in it."""
        return cast(
            "WorkspaceInfo",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}",
                    workspace=workspace,
                ),
            ),
        )

    async def get_usage(
        self,
        workspace: str,
    ) -> Usage:
        """What the workspace uses of its plan right now."""
        return cast(
            "Usage",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/usage",
                    workspace=workspace,
                ),
            ),
        )

    async def get_analytics(
        self,
        workspace: str,
        *,
        since: str | None = None,
        until: str | None = None,
        workflow: str | None = None,
        namespace: str | None = None,
    ) -> Analytics:
        """How the workspace's runs fared, or a workflow's, in up to 90 days."""
        return cast(
            "Analytics",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/analytics",
                    workspace=workspace,
                ),
                query={
                    "since": since,
                    "until": until,
                    "workflow": workflow,
                    "namespace": namespace,
                },
            ),
        )

    async def get_cost(
        self,
        workspace: str,
        *,
        since: str | None = None,
        until: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        by: Grouping | None = None,
        label: str | None = None,
    ) -> CostList:
        """What the workspace spent in up to 90 days, by day, workflow, or the values of a label."""
        return cast(
            "CostList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/cost",
                    workspace=workspace,
                ),
                query={
                    "since": since,
                    "until": until,
                    "cursor": cursor,
                    "limit": limit,
                    "by": by,
                    "label": label,
                },
            ),
        )

    async def list_recommendations(
        self,
        workspace: str,
    ) -> RecommendationList:
        """What could go better in the workspace."""
        return cast(
            "RecommendationList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/recommendations",
                    workspace=workspace,
                ),
            ),
        )

    async def search(
        self,
        workspace: str,
        *,
        q: str,
        kind: SearchKind,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> SearchHits:
        """Find runs by their errors, workflows, or recommendations.

        Workflows take the scope workflows:read besides, and recommendations usage:read.
        """
        return cast(
            "SearchHits",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/search",
                    workspace=workspace,
                ),
                query={
                    "cursor": cursor,
                    "limit": limit,
                    "q": q,
                    "kind": kind,
                },
            ),
        )

    async def start_run(
        self,
        workspace: str,
        body: StartRun,
        *,
        idempotency_key: str | None = None,
    ) -> Run:
        """Start a run.

        Where the workspace has no room for it, the run is Pending and says why, or is refused with 429, as the
        plan has it; Test and Debug runs never wait, and five of them are under way at most. Send an Idempotency-
        Key, so that a request that may have got lost can be repeated.
        """
        return cast(
            "Run",
            await self._transport.call(
                "POST",
                path_of(
                    "/api/v1/workspaces/{workspace}/runs",
                    workspace=workspace,
                ),
                headers={
                    "idempotency-key": idempotency_key,
                },
                body=body,
            ),
        )

    async def list_runs(
        self,
        workspace: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        status: list[RunPhase] | None = None,
        workflow: str | None = None,
        namespace: str | None = None,
        since: str | None = None,
        until: str | None = None,
        label: list[str] | None = None,
    ) -> RunList:
        """List runs, the newest first."""
        return cast(
            "RunList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/runs",
                    workspace=workspace,
                ),
                query={
                    "cursor": cursor,
                    "limit": limit,
                    "status": status,
                    "workflow": workflow,
                    "namespace": namespace,
                    "since": since,
                    "until": until,
                    "label": label,
                },
            ),
        )

    async def get_run(
        self,
        workspace: str,
        run_id: str,
    ) -> Run:
        """A run with its nodes, and why it does not go on."""
        return cast(
            "Run",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/runs/{run_id}",
                    workspace=workspace,
                    run_id=run_id,
                ),
            ),
        )

    async def cancel_run(
        self,
        workspace: str,
        run_id: str,
        *,
        body: CancelRun | None = None,
    ) -> Run:
        """Ask a run to end: what runs is asked to end, what waits never starts, and final nodes run.

        Once more changes nothing.
        """
        return cast(
            "Run",
            await self._transport.call(
                "POST",
                path_of(
                    "/api/v1/workspaces/{workspace}/runs/{run_id}/cancel",
                    workspace=workspace,
                    run_id=run_id,
                ),
                body=body,
            ),
        )

    async def suspend_run(
        self,
        workspace: str,
        run_id: str,
        *,
        body: HoldRun | None = None,
    ) -> Run:
        """Hold a run: what runs goes on and its end is recorded, and nothing more starts."""
        return cast(
            "Run",
            await self._transport.call(
                "POST",
                path_of(
                    "/api/v1/workspaces/{workspace}/runs/{run_id}/suspend",
                    workspace=workspace,
                    run_id=run_id,
                ),
                body=body,
            ),
        )

    async def resume_run(
        self,
        workspace: str,
        run_id: str,
        *,
        body: ResumeRun | None = None,
    ) -> Run:
        """Let a Suspended run go on; a Debug run that stands at a breakpoint to the next one, or by a step."""
        return cast(
            "Run",
            await self._transport.call(
                "POST",
                path_of(
                    "/api/v1/workspaces/{workspace}/runs/{run_id}/resume",
                    workspace=workspace,
                    run_id=run_id,
                ),
                body=body,
            ),
        )

    async def retry_run(
        self,
        workspace: str,
        run_id: str,
    ) -> Run:
        """Run the failed nodes of a run again, and what comes after them. What succeeded is kept.

        A Test or Debug run keeps its mocks, pins and breakpoints, and is refused with 429 where it would have to
        wait.
        """
        return cast(
            "Run",
            await self._transport.call(
                "POST",
                path_of(
                    "/api/v1/workspaces/{workspace}/runs/{run_id}/retry",
                    workspace=workspace,
                    run_id=run_id,
                ),
            ),
        )

    async def approve_node(
        self,
        workspace: str,
        run_id: str,
        body: DecideApproval,
    ) -> Run:
        """Approve what a node of the run waits for, in the caller's name: the run goes on."""
        return cast(
            "Run",
            await self._transport.call(
                "POST",
                path_of(
                    "/api/v1/workspaces/{workspace}/runs/{run_id}/approve",
                    workspace=workspace,
                    run_id=run_id,
                ),
                body=body,
            ),
        )

    async def reject_node(
        self,
        workspace: str,
        run_id: str,
        body: DecideApproval,
    ) -> Run:
        """Reject what a node of the run waits for, in the caller's name: the node fails."""
        return cast(
            "Run",
            await self._transport.call(
                "POST",
                path_of(
                    "/api/v1/workspaces/{workspace}/runs/{run_id}/reject",
                    workspace=workspace,
                    run_id=run_id,
                ),
                body=body,
            ),
        )

    def follow_runs(
        self,
        workspace: str,
        *,
        last_event_id: str | None = None,
    ) -> AbstractAsyncContextManager[Answer]:
        """Follow all runs of the workspace from now on, or from behind the Last-Event-ID, as Server-Sent Events.

        The event ``run`` tells of a run (RunEvent), ``step`` of an attempt (StepEvent), each change once and in
        the order in which they happened; ``open`` says from where it goes on, and ``lost`` (LostEvent) that
        changes before the next one are not kept any more: that is a day. A comment comes every 15 seconds or so
        while nothing happens. The stream ends with the event ``end`` (EndEvent) when the caller may not read it
        any more, and with none when the replica ends: connect again. Who leaves it unread for 20 seconds is cut
        off.
        """
        return self._transport.stream(
            "GET",
            path_of(
                "/api/v1/workspaces/{workspace}/events",
                workspace=workspace,
            ),
            headers={
                "last-event-id": last_event_id,
            },
        )

    def follow_run(
        self,
        workspace: str,
        run_id: str,
        *,
        last_event_id: str | None = None,
    ) -> AbstractAsyncContextManager[Answer]:
        """Follow one run from its beginning, or from behind the Last-Event-ID, as Server-Sent Events.

        As of the whole workspace, and the event ``end`` comes when the run is over. One that is retried
        afterwards can be followed anew. What happened more than a day ago is not told: look at the run first.
        """
        return self._transport.stream(
            "GET",
            path_of(
                "/api/v1/workspaces/{workspace}/runs/{run_id}/events",
                workspace=workspace,
                run_id=run_id,
            ),
            headers={
                "last-event-id": last_event_id,
            },
        )

    def get_log(
        self,
        workspace: str,
        run_id: str,
        step: str,
        *,
        attempt: int | None = None,
        follow: bool | None = None,
    ) -> AbstractAsyncContextManager[Answer]:
        """What an attempt of a node wrote, once it has ended: its log is kept then, head and tail of a long one.

        With ``follow`` the answer begins at once, and what the attempt writes comes as it is written, all of it.
        A line that begins with ``headgate:`` says where something had to be sent twice, or will not come.
        """
        return self._transport.stream(
            "GET",
            path_of(
                "/api/v1/workspaces/{workspace}/runs/{run_id}/steps/{step}/log",
                workspace=workspace,
                run_id=run_id,
                step=step,
            ),
            query={
                "attempt": attempt,
                "follow": follow,
            },
            silent=True,
        )

    async def list_artifacts(
        self,
        workspace: str,
        run_id: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> RunArtifactList:
        """List the files that attempts of the run left, by node, attempt and name."""
        return cast(
            "RunArtifactList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/runs/{run_id}/artifacts",
                    workspace=workspace,
                    run_id=run_id,
                ),
                query={
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def get_artifact(
        self,
        workspace: str,
        run_id: str,
        step: str,
        name: str,
        *,
        attempt: int | None = None,
    ) -> AbstractAsyncContextManager[Answer]:
        """A file that an attempt of a node left, byte for byte."""
        return self._transport.stream(
            "GET",
            path_of(
                "/api/v1/workspaces/{workspace}/runs/{run_id}/artifacts/{step}/{name}",
                workspace=workspace,
                run_id=run_id,
                step=step,
                name=name,
            ),
            query={
                "attempt": attempt,
            },
            silent=True,
        )

    async def list_workflows(
        self,
        workspace: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> WorkflowList:
        """List the workflows that there are, by namespace and name."""
        return cast(
            "WorkflowList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/workflows",
                    workspace=workspace,
                ),
                query={
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def get_workflow(
        self,
        workspace: str,
        namespace: str,
        name: str,
    ) -> WorkflowItem:
        """A workflow."""
        return cast(
            "WorkflowItem",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/workflows/{namespace}/{name}",
                    workspace=workspace,
                    namespace=namespace,
                    name=name,
                ),
            ),
        )

    async def list_versions(
        self,
        workspace: str,
        namespace: str,
        name: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> VersionList:
        """List the versions of a workflow, the newest first. Every accepted spec is one."""
        return cast(
            "VersionList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/workflows/{namespace}/{name}/versions",
                    workspace=workspace,
                    namespace=namespace,
                    name=name,
                ),
                query={
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def get_version(
        self,
        workspace: str,
        namespace: str,
        name: str,
        number: int,
    ) -> Version:
        """A version of a workflow with what it says."""
        return cast(
            "Version",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/workflows/{namespace}/{name}/versions/{number}",
                    workspace=workspace,
                    namespace=namespace,
                    name=name,
                    number=number,
                ),
            ),
        )

    async def diff_versions(
        self,
        workspace: str,
        namespace: str,
        name: str,
        *,
        before: int,
        after: int,
    ) -> VersionDiff:
        """What changed between two versions of a workflow."""
        return cast(
            "VersionDiff",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/workflows/{namespace}/{name}/diff",
                    workspace=workspace,
                    namespace=namespace,
                    name=name,
                ),
                query={
                    "before": before,
                    "after": after,
                },
            ),
        )

    async def list_webhooks(
        self,
        workspace: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> WebhookList:
        """List the webhooks that workflows have, by name."""
        return cast(
            "WebhookList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/webhooks",
                    workspace=workspace,
                ),
                query={
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def get_webhook(
        self,
        workspace: str,
        hook: str,
    ) -> WebhookDetail:
        """A webhook, and what keeps its triggers from taking anything."""
        return cast(
            "WebhookDetail",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/webhooks/{hook}",
                    workspace=workspace,
                    hook=hook,
                ),
            ),
        )

    async def list_deliveries(
        self,
        workspace: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        hook: str | None = None,
    ) -> DeliveryList:
        """List deliveries of webhooks, the newest first."""
        return cast(
            "DeliveryList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/deliveries",
                    workspace=workspace,
                ),
                query={
                    "cursor": cursor,
                    "limit": limit,
                    "hook": hook,
                },
            ),
        )

    async def get_delivery(
        self,
        workspace: str,
        delivery_id: str,
    ) -> Delivery:
        """A delivery, and what became of it."""
        return cast(
            "Delivery",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/deliveries/{delivery_id}",
                    workspace=workspace,
                    delivery_id=delivery_id,
                ),
            ),
        )

    async def redeliver(
        self,
        workspace: str,
        delivery_id: str,
    ) -> Delivery:
        """Hand the body of a delivery to the triggers that its webhook has now, as another delivery.

        It makes runs of its own, each time that it is asked for. What became of it is in the answer.
        """
        return cast(
            "Delivery",
            await self._transport.call(
                "POST",
                path_of(
                    "/api/v1/workspaces/{workspace}/deliveries/{delivery_id}/redeliver",
                    workspace=workspace,
                    delivery_id=delivery_id,
                ),
            ),
        )

    async def list_cursors(
        self,
        workspace: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> CopyCursorList:
        """List how far copies have come, by namespace, workflow and node, without where they stand."""
        return cast(
            "CopyCursorList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/cursors",
                    workspace=workspace,
                ),
                query={
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def get_cursor(
        self,
        workspace: str,
        namespace: str,
        name: str,
        step: str,
    ) -> CopyCursorDetail:
        """How far the copy of a node of that workflow has come, and where it stands."""
        return cast(
            "CopyCursorDetail",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/cursors/{namespace}/{name}/{step}",
                    workspace=workspace,
                    namespace=namespace,
                    name=name,
                    step=step,
                ),
            ),
        )

    async def reset_cursor(
        self,
        workspace: str,
        namespace: str,
        name: str,
        step: str,
    ) -> CopyCursorDetail:
        """Forget how far a copy has come: the next one begins at the beginning. What is in its target stays.

        The answer is the cursor as it was. 409 while an attempt copies; a run whose copy has not begun, or waits
        to be tried again, begins anew as well.
        """
        return cast(
            "CopyCursorDetail",
            await self._transport.call(
                "DELETE",
                path_of(
                    "/api/v1/workspaces/{workspace}/cursors/{namespace}/{name}/{step}",
                    workspace=workspace,
                    namespace=namespace,
                    name=name,
                    step=step,
                ),
            ),
        )

    async def create_key(
        self,
        workspace: str,
        body: CreateKey,
    ) -> NewKey:
        """Make a key. The answer holds it this once.

        Nobody makes a key that may do more, or lives longer, than what they call with.
        """
        return cast(
            "NewKey",
            await self._transport.call(
                "POST",
                path_of(
                    "/api/v1/workspaces/{workspace}/keys",
                    workspace=workspace,
                ),
                body=body,
            ),
        )

    async def list_keys(
        self,
        workspace: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> KeyList:
        """List keys, the newest first."""
        return cast(
            "KeyList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/keys",
                    workspace=workspace,
                ),
                query={
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def revoke_key(
        self,
        workspace: str,
        key_id: str,
    ) -> Key:
        """Revoke a key: within a second it is good nowhere any more. Once more changes nothing."""
        return cast(
            "Key",
            await self._transport.call(
                "DELETE",
                path_of(
                    "/api/v1/workspaces/{workspace}/keys/{key_id}",
                    workspace=workspace,
                    key_id=key_id,
                ),
            ),
        )

    async def list_credentials(
        self,
        workspace: str,
    ) -> CredentialList:
        """List all credentials by name, which are 500 at most. Their values are never told."""
        return cast(
            "CredentialList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/credentials",
                    workspace=workspace,
                ),
            ),
        )

    async def put_credential(
        self,
        workspace: str,
        name: str,
        body: PutCredential,
        *,
        version: int | None = None,
    ) -> Credential:
        """Create or replace a credential, with all its values, in the caller's name."""
        return cast(
            "Credential",
            await self._transport.call(
                "PUT",
                path_of(
                    "/api/v1/workspaces/{workspace}/credentials/{name}",
                    workspace=workspace,
                    name=name,
                ),
                query={
                    "version": version,
                },
                body=body,
            ),
        )

    async def delete_credential(
        self,
        workspace: str,
        name: str,
        *,
        version: int | None = None,
    ) -> None:
        """Delete a credential. The record of who was given it stays."""
        await self._transport.call(
            "DELETE",
            path_of(
                "/api/v1/workspaces/{workspace}/credentials/{name}",
                workspace=workspace,
                name=name,
            ),
            query={
                "version": version,
            },
        )

    async def rotate_credentials(
        self,
        workspace: str,
    ) -> Rotated:
        """Seal all credentials under a new data key. Versions stay, and nodes are given values throughout.

        May be repeated at any time: what was not sealed anew lies under its old key until then.
        """
        return cast(
            "Rotated",
            await self._transport.call(
                "POST",
                path_of(
                    "/api/v1/workspaces/{workspace}/credentials/rotate",
                    workspace=workspace,
                ),
            ),
        )

    async def list_audit_log(
        self,
        workspace: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        since: str | None = None,
        until: str | None = None,
        actor: str | None = None,
        action: Action | None = None,
    ) -> AuditList:
        """List who did what in the workspace, the newest first. Filters look through entries from the newest on.

        Archived entries are found too. Of those a page may be short, and its cursor goes on all the same.
        """
        return cast(
            "AuditList",
            await self._transport.call(
                "GET",
                path_of(
                    "/api/v1/workspaces/{workspace}/audit",
                    workspace=workspace,
                ),
                query={
                    "cursor": cursor,
                    "limit": limit,
                    "since": since,
                    "until": until,
                    "actor": actor,
                    "action": action,
                },
            ),
        )
