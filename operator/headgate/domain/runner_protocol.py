"""What runners and the gateway say to each other: JSON over HTTP, every field known and bounded."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from headgate.domain.artifacts import MOST_FILES, NAME_PATTERN
from headgate.domain.step_log import CutLog

CLAIM_PATH = "/runner/v1/claim"
HEARTBEAT_PATH = "/runner/v1/heartbeat"
COMPLETE_PATH = "/runner/v1/complete"
CREDENTIALS_PATH = "/runner/v1/credentials"
RELEASE_PATH = "/runner/v1/release"
CURSOR_PATH = "/runner/v1/cursor"
ANNOUNCE_PATH = "/runner/v1/artifacts"
ARTIFACT_PATH = "/runner/v1/artifact"
ARTIFACT_FIELD = "Headgate-Artifact"
"""The field of a request whose body is a file that says, in JSON, whose it is and how it is called."""
PRINTED_BYTES = 65_536
"""Of what an attempt in a pool printed, at most that much is told with its end."""
REQUEST_BYTES = 163_840
"""A request has at most that many: an output of 4096 bytes, a message, what was printed, and what encoding adds."""

MARK_CHARACTERS = 16_384
"""Characters of a cursor at most."""

LONGEST_WAIT_SECONDS = 9.0
"""A gateway that is told to end answers what waits within that time, before it is killed."""

RunId = Annotated[UUID, Field(strict=False)]
Kind = Literal["http", "sql", "script", "connector"]
Kinds = Annotated[tuple[Kind, ...], Field(max_length=4, strict=False)]
"""Kinds of nodes that a runner of a pool has room for."""


class Message(BaseModel):
    """What all messages have in common: nothing unknown in them, and no value of another type made to fit."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel, populate_by_name=True)


class Claim(Message):
    """Asks for the next attempt of the runner's run or, from a runner of a pool, of any run of its namespace."""

    run_id: RunId | None = None
    """The run that the runner is for; absent for one of a pool."""
    kinds: Kinds = ()
    """Of a pool: what it has room for."""
    wait_seconds: Annotated[float, Field(ge=0, le=LONGEST_WAIT_SECONDS)] = 0.0
    """Of a pool: how long the answer may take where there is nothing to do."""


class Attempt(Message):
    """Names an attempt that the runner holds; by itself it is a heartbeat."""

    run_id: RunId
    node: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    attempt: Annotated[int, Field(ge=1, le=100_000)]


class Kept(Message):
    """The answer to a heartbeat: the attempt is still the runner's."""

    stop: bool = False
    """Whether the attempt is to be ended gracefully. It stays the runner's until it is completed."""


class Printed(Message):
    """What an attempt printed, head and tail of more than may be told."""

    content: Annotated[
        str,
        StringConstraints(
            min_length=4,
            max_length=-(-PRINTED_BYTES // 3) * 4,
            pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
        ),
        Field(repr=False),
    ]
    """Base64."""
    truncated: bool = False

    @classmethod
    def of(cls, log: CutLog) -> Printed:
        """As it is sent."""
        return cls(content=base64.b64encode(log.content).decode("ascii"), truncated=log.truncated)

    @property
    def log(self) -> CutLog:
        """As it was."""
        return CutLog(base64.b64decode(self.content)[:PRINTED_BYTES], self.truncated)


class Result(Message):
    """How an attempt ended."""

    succeeded: bool
    output: Any = None
    """JSON, 4096 bytes at most."""
    reason: Annotated[str, StringConstraints(pattern=r"^([A-Za-z][A-Za-z0-9]{0,63})?$")] = ""
    """One word for a failure."""
    message: Annotated[str, StringConstraints(max_length=1024)] = ""
    exit_code: Annotated[int, Field(ge=-255, le=255)] | None = None
    printed: Printed | None = None
    """Of a pool: what the attempt printed, as nobody reads it from its pod's log."""


class Completion(Attempt):
    """Ends an attempt."""

    result: Result
    kinds: Kinds = ()
    """Of a pool: what the runner has room for once the attempt has ended."""


class Wanted(Attempt):
    """Asks for credentials that the node of an attempt names."""

    names: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=253)], ...],
        Field(min_length=1, max_length=64, strict=False),
    ]


class Released(Message):
    """What the node names of them. ``repr`` does not show it."""

    values: Annotated[dict[str, dict[str, str]], Field(repr=False)]
    """By name of the credential and key."""


class Mark(Message):
    """How far a copy has come, in the words of its source."""

    at: Annotated[str, StringConstraints(max_length=MARK_CHARACTERS)] | None = None
    """All up to there is written; absent before the first batch."""
    until: Annotated[str, StringConstraints(max_length=MARK_CHARACTERS)] | None = None
    """Up to where a batch is being written that must be the same when it is written again."""


class Cursor(Attempt):
    """Asks for the cursor of an attempt's copy, which is that attempt's from then on; with ``moved``, moves it."""

    moved: Mark | None = None
    records: Annotated[int, Field(ge=0)] = 0
    """Records that were written since the last move."""


class Announcement(Attempt):
    """Tells of the files that an attempt left, before any is sent. Those that it left earlier are forgotten."""

    sizes: Annotated[tuple[Annotated[int, Field(ge=0, le=2**53)], ...], Field(max_length=MOST_FILES, strict=False)] = ()
    """Of each, in bytes."""


class Sent(Attempt):
    """Says of a file whose it is."""

    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


class Task(Attempt):
    """An attempt that is the runner's for the length of a lease."""

    workspace: str
    namespace: str
    workflow: str
    work: dict[str, Any]
    """The node's config, with all expressions replaced."""
    timeout_seconds: Annotated[float, Field(ge=0)]
    """What is left of the node's timeout."""
    lease_seconds: Annotated[float, Field(gt=0)]
    """For how long it is the runner's without a heartbeat."""


class Answer(Message):
    """What to do next."""

    task: Task | None = None
    """Absent where there is nothing to do right now."""
