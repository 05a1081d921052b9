"""The NetworkPolicies of a namespace: nothing passes but what is said."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from headgate.desired.keys import NETWORK_POLICY
from headgate.desired.manifest import MODE_LABEL, WORKSPACE_LABEL, Manifest, child
from headgate.domain.addresses import Block, host, internet, network, reachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headgate.api.network import EgressRule, IngressRule, Port
    from headgate.desired.context import NamespaceContext

_DNS_PORT = 53
GATEWAY_PORT = 8000
"""Where the gateway's pods have their API."""
_NAMESPACE_NAME = "kubernetes.io/metadata.name"
_NO_TEST: Mapping[str, Any] = MappingProxyType({"matchExpressions": [{"key": MODE_LABEL, "operator": "DoesNotExist"}]})
"""All pods but those of Test and Debug runs: for these nothing is ever opened, names of the cluster included."""
_IN = "Ingress"
_OUT = "Egress"


def network_policies(context: NamespaceContext) -> tuple[Manifest, ...]:
    """The default deny both ways, and one policy for each reason to open something."""
    policies = (default_deny(context), allow_dns(context), allow_gateway(context), declared(context))
    return tuple(policy for policy in policies if policy is not None)


def default_deny(context: NamespaceContext) -> Manifest:
    """Nothing in, nothing out; also between pods of the same namespace."""
    return _policy(context, "headgate-default-deny", {"podSelector": {}, "policyTypes": [_IN, _OUT]})


def allow_dns(context: NamespaceContext) -> Manifest:
    """Names can be resolved: by the cluster's DNS pods, and by the addresses that the operator was given."""
    peers: list[dict[str, Any]] = [
        {
            "namespaceSelector": _labelled(_NAMESPACE_NAME, "kube-system"),
            "podSelector": _labelled("k8s-app", "kube-dns"),
        }
    ]
    peers += [{"ipBlock": {"cidr": host(address)}} for address in context.facts.dns_addresses]
    ports = [{"protocol": protocol, "port": _DNS_PORT} for protocol in ("UDP", "TCP")]
    return _policy(context, "headgate-allow-dns", {"policyTypes": [_OUT], "egress": [{"to": peers, "ports": ports}]})


def allow_gateway(context: NamespaceContext) -> Manifest | None:
    """The gateway can be reached, where there is one."""
    if context.facts.gateway_namespace is None:
        return None
    peer = {
        "namespaceSelector": _labelled(_NAMESPACE_NAME, context.facts.gateway_namespace),
        "podSelector": {
            "matchLabels": {"app.kubernetes.io/name": "headgate", "app.kubernetes.io/component": "gateway"}
        },
    }
    # Its other port tells of all workspaces.
    ports = [{"protocol": "TCP", "port": GATEWAY_PORT}]
    return _policy(
        context, "headgate-allow-gateway", {"policyTypes": [_OUT], "egress": [{"to": [peer], "ports": ports}]}
    )


def declared(context: NamespaceContext) -> Manifest | None:
    """What the Workspace opens beyond that; None where it opens nothing.

    The metadata addresses and the API server's stay closed whatever the range. A rule of which nothing is left is left
    out.
    """
    wanted = context.workspace.spec.network
    egress = _rules("to", ((_destinations(rule, context), rule.ports) for rule in wanted.egress))
    ingress = _rules("from", ((_sources(rule, context), rule.ports) for rule in wanted.ingress))
    spec: dict[str, Any] = {"policyTypes": [kind for kind, rules in ((_IN, ingress), (_OUT, egress)) if rules]}
    if ingress:
        spec["ingress"] = ingress
    if egress:
        spec["egress"] = egress
    return _policy(context, "headgate-declared", spec) if spec["policyTypes"] else None


def _destinations(rule: EgressRule, context: NamespaceContext) -> list[dict[str, Any]]:
    closed = context.facts.api_addresses
    if rule.internet:
        return [_addresses(block) for block in internet(closed)]
    if rule.namespace is not None:
        return [_own(rule.namespace, context)]
    block = reachable(rule.cidr or "", closed)
    return [] if block is None else [_addresses(block)]


def _sources(rule: IngressRule, context: NamespaceContext) -> list[dict[str, Any]]:
    if rule.namespace is not None:
        return [_own(rule.namespace, context)]
    try:
        return [_addresses(Block(str(network(rule.cidr or ""))))]
    except ValueError:
        return []


def _own(namespace: str, context: NamespaceContext) -> dict[str, Any]:
    """All pods of the namespace, provided that it is one of the same workspace's."""
    return {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: namespace, WORKSPACE_LABEL: context.owner}}}


def _addresses(block: Block) -> dict[str, Any]:
    return {"ipBlock": block.to_wire()}


def _policy(context: NamespaceContext, name: str, spec: dict[str, Any]) -> Manifest:
    return child(
        NETWORK_POLICY,
        name=name,
        namespace=context.namespace,
        workspace=context.owner,
        spec={"podSelector": dict(_NO_TEST), **spec},
    )


def _rules(direction: str, rules: Iterable[tuple[list[dict[str, Any]], Iterable[Port]]]) -> list[dict[str, Any]]:
    # Without peers a rule would mean everyone, so one that has none left must go.
    return [
        {direction: peers, **({"ports": [_port(port) for port in ports]} if ports else {})}
        for peers, ports in rules
        if peers
    ]


def _port(port: Port) -> dict[str, Any]:
    single: dict[str, Any] = {"protocol": port.protocol, "port": port.port}
    return single if port.end_port is None else {**single, "endPort": port.end_port}


def _labelled(key: str, value: str) -> dict[str, Any]:
    return {"matchLabels": {key: value}}
