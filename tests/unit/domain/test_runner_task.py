"""What a node makes its runner read, or be given."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.container import SecretKeyRef
from headgate.api.hidden_value import CredentialKeyRef
from headgate.api.node import NodeConfig
from headgate.domain.runner_task import credentials_of, secrets_of, secrets_of_all

KEY = {"name": "shop", "key": "token"}
HTTP = {
    "http": {
        "url": "https://example.com",
        "headers": [
            {"name": "A", "value": "plain"},
            {"name": "B", "secretKeyRef": KEY},
            {"name": "C", "credentialKeyRef": KEY},
        ],
    }
}
SCRIPT = {
    "script": {
        "language": "shell",
        "source": "true",
        "env": [
            {"name": "A", "value": "plain"},
            {"name": "B", "valueFrom": {"secretKeyRef": KEY}},
            {"name": "C", "valueFrom": {"credentialKeyRef": KEY}},
        ],
    }
}


CONNECTOR = {
    "connector": {
        "sync": {
            "source": {"postgres": {"connection": {"secretKeyRef": KEY}, "table": "orders", "cursor": ["id"]}},
            "target": {"postgres": {"connection": {"credentialKeyRef": KEY}, "table": "orders", "key": ["id"]}},
        }
    }
}


@pytest.mark.parametrize("config", [HTTP, SCRIPT, CONNECTOR])
def test_secrets_and_credentials_are_told_apart(config: dict[str, Any]) -> None:
    read = NodeConfig.model_validate(config)

    assert secrets_of(read) == (SecretKeyRef(name="shop", key="token"),)
    assert credentials_of(read) == (CredentialKeyRef(name="shop", key="token"),)


def test_a_statement_has_its_connection_from_one_or_the_other() -> None:
    by_secret = NodeConfig.model_validate({"sql": {"connection": KEY, "query": "SELECT 1"}})
    by_credential = NodeConfig.model_validate({"sql": {"credential": KEY, "query": "SELECT 1"}})

    assert (len(secrets_of(by_secret)), len(credentials_of(by_secret))) == (1, 0)
    assert (len(secrets_of(by_credential)), len(credentials_of(by_credential))) == (0, 1)


def test_each_secret_of_a_run_is_named_once_and_credentials_are_none() -> None:
    configs = [NodeConfig.model_validate(config) for config in (HTTP, SCRIPT)]

    assert secrets_of_all(configs) == (SecretKeyRef(name="shop", key="token"),)
    assert secrets_of(NodeConfig.model_validate({"manual": {}})) == ()
