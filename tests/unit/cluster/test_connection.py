from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.config import ConfigException

from headgate.cluster.connection import Connection, connect


def a_kubeconfig(folder: Path, user: dict[str, Any], **cluster: Any) -> str:
    """A file with one context."""
    file = folder / "config"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://api.example.com:6443/", **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file.write_text(yaml.safe_dump(document))
    return str(file)


def test_server_and_token_come_from_the_kubeconfig(tmp_path: Path) -> None:
    connection = connect(a_kubeconfig(tmp_path, {"token": "s3cret"}))

    assert connection.server == "https://api.example.com:6443"
    assert connection.headers() == {"Authorization": "Bearer s3cret"}


def test_kopf_gets_the_same_token(tmp_path: Path) -> None:
    info = connect(a_kubeconfig(tmp_path, {"token": "s3cret"})).for_kopf()

    assert (info.server, info.scheme, info.token) == ("https://api.example.com:6443", "Bearer", "s3cret")


def test_a_client_certificate_comes_from_the_kubeconfig(tmp_path: Path) -> None:
    pair = {"client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ"}
    authority = {"certificate-authority-data": base64.b64encode(b"CA").decode()}

    connection = connect(a_kubeconfig(tmp_path, pair, **authority))

    assert connection.headers() == {}
    assert Path(connection.certificate_path or "").read_text() == "CERT"
    assert Path(connection.key_path or "").read_text() == "KEY"
    assert Path(connection.ca_path or "").read_text() == "CA"
    info = connection.for_kopf()
    assert (info.scheme, info.token) == (None, None)
    assert (info.certificate_path, info.private_key_path) == (connection.certificate_path, connection.key_path)


def test_the_server_s_certificate_is_checked_unless_told_otherwise(tmp_path: Path) -> None:
    careful = connect(a_kubeconfig(tmp_path, {"token": "t"}))
    careless = connect(a_kubeconfig(tmp_path, {"token": "t"}, **{"insecure-skip-tls-verify": True}))

    assert careful.ssl_context().verify_mode is ssl.CERT_REQUIRED
    assert careful.for_kopf().insecure is False
    assert careless.ssl_context().verify_mode is ssl.CERT_NONE
    assert careless.for_kopf().insecure is True


def test_a_context_can_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(ConfigException):
        connect(a_kubeconfig(tmp_path, {"token": "t"}), context="another")


def test_outside_of_a_pod_a_kubeconfig_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(ConfigException):
        connect()


def test_a_token_that_was_renewed_is_used() -> None:
    tokens = iter(["Bearer old", "Bearer new"])
    connection = Connection("https://api", None, None, None, verify=True, bearer=lambda: next(tokens))

    assert connection.headers() == {"Authorization": "Bearer old"}
    assert connection.for_kopf().token == "new"


def test_a_kubeconfig_s_token_is_not_looked_up_for_every_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ask(_: object, identifier: str, **__: object) -> str:
        asked.append(identifier)
        return "Bearer s3cret"

    monkeypatch.setattr("kubernetes.client.Configuration.get_api_key_with_prefix", ask)
    connection = connect(a_kubeconfig(tmp_path, {"token": "s3cret"}))

    assert [connection.headers() for _ in range(3)] == [{"Authorization": "Bearer s3cret"}] * 3
    assert asked == ["BearerToken"]
