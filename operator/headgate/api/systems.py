"""How other systems are reached: what their operations and copies between them have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from headgate.api.base import KubeModel
from headgate.api.hidden_value import HiddenValue
from headgate.api.rules import Form, ListSet, Rule

TopicName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=249),
    Form(pattern=r"^[-._A-Za-z0-9]+$", message="use letters, digits, '-', '_' and '.' only in the name of a topic"),
]


class Bucket(KubeModel):
    """A bucket of S3, or of what speaks like it."""

    endpoint: Annotated[
        str,
        StringConstraints(min_length=1, max_length=512),
        Rule(
            cel="self.startsWith('https://') || self.startsWith('http://')",
            message="begin the endpoint with https:// or http://",
        ),
    ]
    """Address of the service, such as https://s3.eu-central-1.amazonaws.com.

    Private, link-local and cluster addresses are refused.
    """
    region: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "us-east-1"
    """Region that requests are signed for."""
    bucket: Annotated[
        str,
        StringConstraints(min_length=3, max_length=63),
        Form(
            pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
            message="use lower-case letters, digits, '-' and '.' only in the name of a bucket",
        ),
    ]
    """Name of the bucket."""
    access_key_id: HiddenValue
    """Id of the key that signs."""
    secret_access_key: HiddenValue
    """The key that signs."""


Broker = Annotated[
    str,
    StringConstraints(min_length=3, max_length=260),
    Form(pattern=r"^[-._A-Za-z0-9]+:[0-9]{1,5}$", message="write a broker as host:port"),
]


class KafkaCluster(KubeModel):
    """Brokers of Kafka, or of what speaks like it."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.username) == has(self.password)",
            message="set username and password, or neither",
        ),
    )

    brokers: Annotated[tuple[Broker, ...], Field(min_length=1, max_length=10), ListSet()]
    """Where to begin, such as ``kafka.example.com:9093``. Private, link-local and cluster addresses are refused."""
    tls: bool = True
    """Whether connections are encrypted. A password is sent over no other."""
    mechanism: Literal["Plain", "ScramSha256", "ScramSha512"] = "ScramSha512"
    """How the password is shown."""
    username: Annotated[str, StringConstraints(min_length=1, max_length=320)] | None = None
    """Name by which the brokers know the caller."""
    password: HiddenValue | None = None
    """The password that goes with ``username``."""
