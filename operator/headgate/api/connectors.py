"""Actions that talk to other systems, one operation each: databases, buckets, mail, chat, repositories, streams."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.builtin import Http, Parameter, Text
from headgate.api.hidden_value import HiddenValue
from headgate.api.rules import Form, ListMap, ListSet, Rule, exactly_one, listed
from headgate.api.sync import Sync
from headgate.api.systems import Bucket, KafkaCluster, TopicName

__all__ = ["S3", "Connector", "Git", "HiddenValue", "Kafka", "Postgres", "Slack", "Smtp", "Sync"]

Line = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Address = Annotated[str, StringConstraints(min_length=3, max_length=320)]
"""An address of mail, such as ``Ops <ops@example.com>``."""
ObjectKey = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Postgres(KubeModel):
    """Runs one statement on a Postgres database. Its output is ``{rowCount, rows}``, each row a map by column."""

    connection: HiddenValue
    """The connection string, such as postgresql://user:password@host/name. It has to name hosts."""
    query: Annotated[str, StringConstraints(min_length=1, max_length=16_384)]
    """The statement, with ``%(name)s`` for parameters. Nothing else is replaced in it."""
    parameters: Annotated[tuple[Parameter, ...], Field(max_length=64), ListMap("name")] = ()
    """Values for the statement."""
    max_rows: Annotated[int, Field(ge=0, le=1000)] = 100
    """Rows that the output holds at most."""
    read_only: bool = False
    """Whether the transaction may only read."""


class S3Get(KubeModel):
    """Reads an object. The output is ``{key, size, content}``, of which ``content`` is its text."""

    key: ObjectKey
    """Key of the object. ``${{ ... }}`` is replaced."""


class S3Put(KubeModel):
    """Writes an object in place of the one that may be there. The output is ``{key, size}``."""

    key: ObjectKey
    """Key of the object. ``${{ ... }}`` is replaced."""
    content: Text
    """What it holds. ``${{ ... }}`` is replaced."""
    content_type: Annotated[str, StringConstraints(min_length=1, max_length=128)] = "application/octet-stream"
    """Its media type."""


class S3List(KubeModel):
    """Lists objects. The output is ``{objects, more}``, each object ``{key, size, modifiedAt}``, by key."""

    prefix: Annotated[str, StringConstraints(max_length=1024)] = ""
    """Folder of the keys, up to a ``/``. ``${{ ... }}`` is replaced."""
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    """Objects that are listed at most."""


class S3Delete(KubeModel):
    """Deletes an object; there need be none. The output is ``{key}``."""

    key: ObjectKey
    """Key of the object. ``${{ ... }}`` is replaced."""


class S3(Bucket):
    """Reads, writes, lists or deletes objects of S3, or of what speaks like it."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(cel=exactly_one(("get", "put", "list", "delete")), message="set exactly one of get, put, list and delete"),
    )

    get: S3Get | None = None
    """Read an object."""
    put: S3Put | None = None
    """Write an object."""
    list: S3List | None = None
    """List objects."""
    delete: S3Delete | None = None
    """Delete an object."""


class Smtp(KubeModel):
    """Sends a mail. The output is ``{messageId, refused}``: the addresses that the server did not take.

    ``messageId`` is the same for all attempts of a node of a run, by which mail that came twice can be told.
    """

    host: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """Name of the server."""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    """Port of the server."""
    security: Literal["StartTls", "Tls", "None"] = "StartTls"
    """StartTls encrypts after a greeting, Tls from the first byte; None sends in the clear, and no password."""
    username: Annotated[str, StringConstraints(min_length=1, max_length=320)] | None = None
    """Name by which the server knows the sender."""
    password: HiddenValue | None = None
    """The password that goes with ``username``."""
    sender: Address
    """From whom, such as ``Ops <ops@example.com>``."""
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=50)]
    """To whom. ``${{ ... }}`` is replaced."""
    cc: Annotated[tuple[Address, ...], Field(max_length=50)] = ()
    """To whom besides. ``${{ ... }}`` is replaced."""
    subject: Line
    """What about. ``${{ ... }}`` is replaced."""
    text: Text
    """What it says. ``${{ ... }}`` is replaced."""


class Slack(KubeModel):
    """Posts a message to an incoming webhook of Slack, or of what takes the same messages."""

    url: HiddenValue
    """Address of the webhook, which is itself the secret."""
    text: Text
    """The message, in Slack's mrkdwn. ``${{ ... }}`` is replaced."""
    channel: Annotated[str, StringConstraints(min_length=1, max_length=80)] | None = None
    """Channel, where the webhook lets its caller choose."""
    username: Annotated[str, StringConstraints(min_length=1, max_length=80)] | None = None
    """Name of the author, where the webhook lets its caller choose."""


class GitRead(KubeModel):
    """Reads files of the newest commit. The output is ``{commit, files}``, the latter texts by path."""

    paths: Annotated[tuple[FilePath, ...], Field(min_length=1, max_length=20), ListSet()]
    """Paths of files. ``${{ ... }}`` is replaced."""


class GitFile(KubeModel):
    """A file of a commit."""

    path: FilePath
    """Its path. ``${{ ... }}`` is replaced."""
    content: Text | None = None
    """What it holds; absent for a file that is deleted. ``${{ ... }}`` is replaced."""


class GitPush(KubeModel):
    """Commits files on top of the branch, and pushes. The output is ``{commit, changed}``.

    Where the files are as they should be already, nothing is committed.
    """

    message: Line
    """The commit's message. ``${{ ... }}`` is replaced."""
    author: Annotated[str, StringConstraints(min_length=3, max_length=320)] = "Headgate <headgate@localhost>"
    """Author and committer, such as ``Ops <ops@example.com>``."""
    files: Annotated[tuple[GitFile, ...], Field(min_length=1, max_length=20), ListMap("path")]
    """Files that the commit writes or deletes."""


class Git(KubeModel):
    """Reads files of a repository, or commits some, over HTTP."""

    rules: ClassVar[tuple[Rule, ...]] = (Rule(cel=exactly_one(("read", "push")), message="set either read or push"),)

    url: Annotated[
        str,
        StringConstraints(min_length=1, max_length=2048),
        Rule(
            cel="self.startsWith('https://') || self.startsWith('http://')",
            message="begin the url with https:// or http://",
        ),
    ]
    """Address of the repository. Private, link-local and cluster addresses are refused."""
    branch: Annotated[
        str,
        StringConstraints(min_length=1, max_length=200),
        Form(
            pattern=r"^[A-Za-z0-9]([-._/A-Za-z0-9]*[A-Za-z0-9])?$",
            message="use letters, digits, '-', '_', '.' and '/' only in the name of a branch",
        ),
    ] = "main"
    """Branch, which has to be there."""
    username: Annotated[str, StringConstraints(min_length=1, max_length=320)] = "git"
    """Name that goes with ``password``; many hosts take any."""
    password: HiddenValue | None = None
    """A password or token."""
    read: GitRead | None = None
    """Read files."""
    push: GitPush | None = None
    """Commit files and push."""


class KafkaRecord(KubeModel):
    """A record of a topic."""

    key: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """Records of one key stay in order. ``${{ ... }}`` is replaced."""
    value: Text
    """What it says. ``${{ ... }}`` is replaced."""


class KafkaProduce(KubeModel):
    """Writes records, which all replicas in sync have when it ends.

    The output is ``{offsets}``, one ``{partition, offset}`` for each record.
    """

    topic: TopicName
    """Topic."""
    records: Annotated[tuple[KafkaRecord, ...], Field(min_length=1, max_length=100)]
    """Records, in their order."""


class KafkaConsume(KubeModel):
    """Reads records that there are. The output is ``{records}``, each ``{partition, offset, key, value}``.

    Records that a group has read are not read again by it: what the node gave is in its output, or was in the output of
    an attempt that died with it. To copy a topic without a loss, use ``sync``.
    """

    topic: TopicName
    """Topic."""
    group: Annotated[str, StringConstraints(min_length=1, max_length=249)] | None = None
    """Consumer group that goes on where it was; without one, records are read from the earliest."""
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    """Records that are read at most."""


class Kafka(KafkaCluster):
    """Writes records to a topic of Kafka, or reads some."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *KafkaCluster.rules,
        Rule(cel=exactly_one(("produce", "consume")), message="set either produce or consume"),
    )

    produce: KafkaProduce | None = None
    """Write records."""
    consume: KafkaConsume | None = None
    """Read records."""


_KINDS = ("http", "postgres", "s3", "smtp", "slack", "git", "kafka", "sync")


class Connector(KubeModel):
    """Talks to another system: exactly one of these."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(cel=exactly_one(_KINDS), message=f"set exactly one of {listed(_KINDS, last='and')}"),
    )

    http: Http | None = None
    """Send an HTTP request."""
    postgres: Postgres | None = None
    """Run a statement on a Postgres database."""
    s3: S3 | None = None
    """Read, write, list or delete objects of a bucket."""
    smtp: Smtp | None = None
    """Send a mail."""
    slack: Slack | None = None
    """Post a message."""
    git: Git | None = None
    """Read files of a repository, or commit some."""
    kafka: Kafka | None = None
    """Write records to a topic, or read some."""
    sync: Sync | None = None
    """Copy what is new from one system to another."""
