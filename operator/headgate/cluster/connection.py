"""Where the API server is and how to authenticate, as the ``kubernetes`` package finds it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import kopf
from kubernetes import client, config

_KEPT_SECONDS = 5.0
"""Tokens of pods are replaced when a fifth of their life, of ten minutes at least, is left."""


@dataclass(frozen=True)
class Connection:
    """A connection's settings. Credentials may expire, so headers are asked for at every request."""

    server: str
    ca_path: str | None
    certificate_path: str | None
    key_path: str | None
    verify: bool
    bearer: Callable[[], str | None]

    def headers(self) -> Mapping[str, str]:
        """The Authorization header, where a token is used."""
        token = self.bearer()
        return {"Authorization": token} if token else {}

    def ssl_context(self) -> ssl.SSLContext:
        """Trust and client certificate."""
        context = ssl.create_default_context(cafile=self.ca_path)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate_path:
            context.load_cert_chain(self.certificate_path, self.key_path)
        return context

    def for_kopf(self) -> kopf.ConnectionInfo:
        """The same for Kopf's watches."""
        token = self.bearer()
        scheme, _, value = (token or "").rpartition(" ")
        return kopf.ConnectionInfo(
            server=self.server,
            ca_path=self.ca_path,
            insecure=not self.verify,
            scheme=scheme or None,
            token=value or None,
            certificate_path=self.certificate_path,
            private_key_path=self.key_path,
        )


def connect(kubeconfig: str | None = None, context: str | None = None) -> Connection:
    """Settings from ``kubeconfig`` or, without one, from the pod's service account.

    Raises ``kubernetes.config.ConfigException`` when neither is usable.
    """
    configuration = client.Configuration()
    if kubeconfig is None:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=kubeconfig, context=context, client_configuration=configuration
        )
    token = partial(configuration.get_api_key_with_prefix, "BearerToken", alias="authorization")
    return Connection(
        server=configuration.host.rstrip("/"),
        ca_path=configuration.ssl_ca_cert,
        certificate_path=configuration.cert_file,
        key_path=configuration.key_file,
        verify=bool(configuration.verify_ssl),
        bearer=_kept(token, time.monotonic),
    )


def _kept(ask: Callable[[], str | None], monotonic: Callable[[], float]) -> Callable[[], str | None]:
    """The same, asked every few seconds: the package reads a kubeconfig's settings anew each time."""
    last: tuple[float, str | None] | None = None

    def kept() -> str | None:
        nonlocal last
        now = monotonic()
        if last is None or now - last[0] >= _KEPT_SECONDS:
            last = now, ask()
        return last[1]

    return kept
