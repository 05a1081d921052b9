"""Actions that a runner executes inside the workspace: an HTTP request, an SQL query, a script."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.container import EnvVar, SecretKeyRef, VariableName
from headgate.api.hidden_value import CredentialKeyRef, HiddenValue
from headgate.api.rules import Form, ListMap, ListSet, Rule, exactly_one

Text = Annotated[str, StringConstraints(max_length=16_384)]

_HEADER = r"^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$"
_PARAMETER = r"^[a-zA-Z_][a-zA-Z0-9_]*$"


class Header(KubeModel):
    """A header of a request, with a value or one that comes from a Secret or a credential."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=exactly_one(("value", "secretKeyRef", "credentialKeyRef")),
            message="set exactly one of value, secretKeyRef and credentialKeyRef",
        ),
    )

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=128),
        Form(pattern=_HEADER, message="use letters, digits and '-' only in the name of a header"),
    ]
    """Name, such as ``Accept``."""
    value: Annotated[str, StringConstraints(max_length=4096)] | None = None
    """Value. ``${{ ... }}`` is replaced."""
    secret_key_ref: SecretKeyRef | None = None
    """The Secret that holds the value; only the runner reads it."""
    credential_key_ref: CredentialKeyRef | None = None
    """The credential that holds the value; the runner is given it for the attempt, and each time is recorded."""


class Http(KubeModel):
    """Sends an HTTP request. Its output is ``{status, headers, body}``, the body parsed where it is JSON."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    """Method of the request."""
    url: Annotated[
        str,
        StringConstraints(min_length=1, max_length=2048),
        Rule(
            cel="self.startsWith('https://') || self.startsWith('http://') || self.startsWith('${{')",
            message="begin the url with https:// or http://",
        ),
    ]
    """Where to. ``${{ ... }}`` is replaced. Private, link-local and cluster addresses are refused."""
    headers: Annotated[tuple[Header, ...], Field(max_length=32), ListMap("name")] = ()
    """Headers of the request."""
    body: Text | None = None
    """Body of the request. ``${{ ... }}`` is replaced."""
    expect_status: Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], Field(max_length=32), ListSet()] = ()
    """Statuses that are a success; 200 to 299 when empty."""
    max_redirects: Annotated[int, Field(ge=0, le=10)] = 3
    """Redirects that are followed at most."""


class Parameter(KubeModel):
    """A value for a query, bound by the database's driver and never pasted into the text."""

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=63),
        Form(pattern=_PARAMETER, message="use letters, digits and '_' only in the name of a parameter"),
    ]
    """Name; the query has ``%(name)s`` in its place."""
    value: Annotated[str, StringConstraints(max_length=4096)]
    """Value. ``${{ ... }}`` is replaced."""


class Sql(KubeModel):
    """Runs one statement on a Postgres database. Its output is ``{rowCount, rows}``, each row a map by column."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(cel=exactly_one(("connection", "credential")), message="set either connection or credential"),
    )

    connection: SecretKeyRef | None = None
    """The Secret that holds the connection string, such as postgresql://user:password@host/name."""
    credential: CredentialKeyRef | None = None
    """The credential that holds the connection string, instead of ``connection``."""
    query: Annotated[str, StringConstraints(min_length=1, max_length=16_384)]
    """The statement, with ``%(name)s`` for parameters. Nothing else is replaced in it."""
    parameters: Annotated[tuple[Parameter, ...], Field(max_length=64), ListMap("name")] = ()
    """Values for the statement."""
    max_rows: Annotated[int, Field(ge=0, le=1000)] = 100
    """Rows that the output holds at most."""
    read_only: bool = False
    """Whether the transaction may only read."""


class ScriptVariable(KubeModel):
    """An environment variable of a script: a value, or a reference."""

    rules: ClassVar[tuple[Rule, ...]] = EnvVar.rules

    name: VariableName
    """Name of the variable. Names that start with HEADGATE_ are Headgate's own."""
    value: Annotated[str, StringConstraints(max_length=4096)] | None = None
    """The value; ``${{ ... }}`` in it is replaced by the value of the CEL expression."""
    value_from: HiddenValue | None = None
    """Where the value comes from, instead of ``value``."""


class Script(KubeModel):
    """Runs a script in the runner's image; in Test and Debug runs in a pod of its own, which reaches nothing.

    It may write up to 4096 bytes of JSON to the file named by ``$HEADGATE_OUTPUT``, and leave files in the folder named
    by ``$HEADGATE_ARTIFACTS``, which are kept when it has succeeded, in Test and Debug runs not.
    """

    language: Literal["python", "shell"]
    """Python 3, or a POSIX shell."""
    source: Annotated[str, StringConstraints(min_length=1, max_length=16_384)]
    """The script. Nothing is replaced in it: values come through ``env``, so that no value can become code."""
    env: Annotated[tuple[ScriptVariable, ...], Field(max_length=64), ListMap("name")] = ()
    """Environment variables."""
