"""Settings of the operator and the gateway, from environment variables that start with ``HEADGATE_``."""

from __future__ import annotations

import socket
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class OperatorSettings(BaseSettings):
    """What the operator is told. Secrets never show in its ``repr``."""

    model_config = SettingsConfigDict(
        env_prefix="HEADGATE_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    kubeconfig: str | None = None
    """Path of a kubeconfig; the pod's service account when absent."""
    namespace: str = "headgate-system"
    """The operator's own namespace, in which its Lease lies."""
    pod_name: str = Field(default_factory=socket.gethostname)
    """Identity in the Lease; unique among replicas."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port of /metrics, /healthz and /readyz; 0 picks a free one."""
    http_host: str = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus call from outside the pod
    """Address to listen on."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""

    database_url: SecretStr | None = None
    """DSN of Postgres for the runtime login; without it no workflow runs, and Workspaces say so."""
    database_pool_size: int = Field(default=10, ge=1, le=200)
    """Connections to Postgres at most."""
    database_prepared_statements: bool = True
    """Whether Postgres keeps prepared statements for a connection; not through a PgBouncer before 1.22."""
    redis_url: SecretStr | None = None
    """URL of the gateway's Redis, which is told of changed workflows; none when absent."""

    lease_name: str = "headgate-operator"
    """Name of the Lease that decides which replica leads."""
    lease_duration_seconds: float = Field(default=15.0, ge=1.0, le=300.0)
    """How long other replicas wait after the leader's last renewal."""

    reconcile_workers: int = Field(default=32, ge=1, le=512)
    """Objects that are reconciled at the same time at most."""
    kubernetes_concurrency: int = Field(default=64, ge=1, le=1024)
    """Requests to the API server at the same time at most."""
    resync_seconds: float = Field(default=600.0, ge=1.0)
    """Between complete comparisons of what is cached with what the API server lists."""
    job_ttl_seconds: int = Field(default=3600, ge=0)
    """How long a Job and its pod stay after its end, or longer, until that is recorded and its log kept."""
    dns_addresses: str = ""
    """DNS servers, beside the cluster's DNS pods, that pods may ask: addresses with commas between."""
    share_dispatch: bool = True
    """Whether a replica that does not lead makes Jobs too."""
    claim_batch: int = Field(default=50, ge=1, le=500)
    """Attempts that a replica takes on at once at most."""
    unscheduled_pods: int = Field(default=50, ge=1, le=100_000)
    """How many pods of a workspace may find no room on the nodes before its other attempts wait in Postgres."""
    gateway_url: str | None = None
    """Where runners reach the gateway; without it no http, sql, connector or script node runs, and runs say so."""
    gateway_account: str | None = None
    """The gateway's ServiceAccount, in the operator's namespace, if it is to read logs of pods of workspaces."""
    runner_image: str = "headgate"
    """Image of runners, which is that of the operator."""
    runner_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the kubelet pulls it, where the Workspace says nothing."""
    runner_idle_seconds: float = Field(default=5.0, ge=0.0, le=3600.0)
    """How long a runner waits for more of its run to do."""
    object_store: str = "file:///var/lib/headgate/objects"
    """URL of the folder or bucket that keeps logs: file:///path, s3://bucket/prefix, gs://, az:// or memory://.

    Credentials come from the environment as the cloud's own tools read it, never from the URL.
    """
    object_folder_bytes: int = Field(default=0, ge=0)
    """How much a folder holds at most, beyond which its oldest objects go; 0 for no limit. Buckets have none."""
    archive_store: str | None = None
    """URL of the folder or bucket to which runs, and entries of audit logs, move when a Workspace's retention says so.

    As ``object_store`` has it. Without it nothing is moved, and nothing deleted. A folder must be one that stays, and
    no limit is held there.
    """
    log_limit_bytes: int = Field(default=1_048_576, ge=0, le=67_108_864)
    """How much of an attempt's log is kept, head and tail; 0 keeps none."""
    claim_seconds: float = Field(default=15.0, ge=1.0)
    """How long an attempt that a replica took on is its alone before its Job is known to exist."""
    audit_signing_keys: SecretStr | None = None
    """Ed25519 keys that sign heads of audit logs: ``<id>: <base64 of 32 bytes>`` a line, the current one first.

    Without any, logs are chained and not signed.
    """
    audit_signing_keys_file: str | None = None
    """Path of a file that holds them instead."""
    prices_file: str | None = None
    """Path of a JSON file with prices under OpenCost's keys; without it, what runs cost is not known."""


class GatewaySettings(BaseSettings):
    """What the gateway is told. Secrets never show in its ``repr``."""

    model_config = SettingsConfigDict(
        env_prefix="HEADGATE_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    kubeconfig: str | None = None
    """Path of a kubeconfig; the pod's service account when absent."""
    api_port: int = Field(default=8000, ge=1, le=65535)
    """Port of the API."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port of /metrics, /healthz and /readyz; 0 picks a free one."""
    http_host: str = "0.0.0.0"  # noqa: S104 - runners, the kubelet and Prometheus call from outside the pod
    """Address to listen on."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""
    database_url: SecretStr
    """DSN of Postgres for the runtime login."""
    database_pool_size: int = Field(default=10, ge=1, le=200)
    """Connections to Postgres at most, and as many to its replica."""
    database_prepared_statements: bool = True
    """Whether Postgres keeps prepared statements for a connection; not through a PgBouncer before 1.22."""
    database_direct_url: SecretStr | None = None
    """DSN that leads to Postgres itself where ``database_url`` is a pooler's: for one connection, which listens."""
    database_replica_url: SecretStr | None = None
    """DSN of a standby for reads that may be late; the primary serves them without."""
    database_replica_max_lag_seconds: float = Field(default=10.0, ge=1.0, le=60.0)
    """How far it may be behind; the primary serves those reads while it is further."""
    redis_url: SecretStr | None = None
    """URL of Redis: redis://, rediss:// or unix://. Without it, Postgres does what it would."""
    calls_per_minute: int = Field(default=300, ge=1, le=1_000_000)
    """Calls of the API that one key, or one user, may make in a minute; the Quota has what a workspace may an hour."""
    failures_per_minute: int = Field(default=60, ge=1, le=1_000_000)
    """Credentials that are not good, from one address in a minute, after which only those that were good lately are
    looked at."""
    request_concurrency: int = Field(default=1024, ge=1, le=4096)
    """Connections at the same time at most; others are answered 503. Each runner of a pool waits with two."""
    keep_alive_seconds: int = Field(default=75, ge=1, le=3600)
    """How long a connection without a request stays open, which counts as one of those: longer than proxies and clients
    keep it, or they meet connections that have just ended."""
    object_store: str | None = None
    """URL of the folder or bucket in which the operator keeps logs, as the operator's own; without it none is shown.

    Files that scripts leave are kept there by the gateway; without it an attempt that leaves some fails.
    """
    artifact_bytes: int = Field(default=67_108_864, ge=0, le=5_368_709_120)
    """What a file that a script leaves has at most."""
    archive_store: str | None = None
    """URL of the folder or bucket of archived runs and entries, as the operator's own; without it none are shown."""
    streams: int = Field(default=100, ge=0, le=4096)
    """Streams of events and logs at the same time at most, which are connections that last."""
    streams_per_workspace: int = Field(default=20, ge=0, le=4096)
    """Those of each workspace among them."""
    follow_logs: bool = True
    """Whether logs of running attempts are read from their pods, where the operator lets the gateway do so."""
    log_bytes_per_second: int = Field(default=1_048_576, ge=1024)
    """What is read of the logs of running attempts for all who follow them, of each workspace."""
    runner_lease_seconds: float = Field(default=15.0, ge=1.0, le=300.0)
    """How long an attempt is a runner's without a heartbeat."""
    key_encryption_keys: SecretStr | None = None
    """Keys that wrap the data keys of credentials: ``<id>: <base64 of 32 bytes>`` a line, the current one first.

    Without any, no credential is kept or handed out.
    """
    key_encryption_keys_file: str | None = None
    """Path of a file that holds them instead."""
    oidc_issuer: str | None = Field(default=None, pattern=r"^https://")
    """Issuer of an OpenID Connect provider whose users may call the API; none when absent."""
    oidc_audience: str = "headgate"
    """What its tokens have to be made for."""
    oidc_username_claim: str = "sub"
    """The claim that is a user's name. Addresses count only where the provider has verified them."""
    oidc_groups_claim: str = "groups"
    """The claim that names a user's groups."""
    oidc_username_prefix: str = ""
    """Goes before every name, as Workspaces' members have it."""
    oidc_groups_prefix: str = ""
    """Goes before the name of every group."""
    oidc_ca_file: str | None = None
    """Certificates that the provider's is checked against; the usual ones when absent."""
    prices_file: str | None = None
    """Path of a JSON file with prices under OpenCost's keys; without it, what runs cost is not known."""
