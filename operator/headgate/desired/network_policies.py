"""The NetworkPolicies of a namespace: nothing passes but what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.desired.keys import NETWORK_POLICY
from headgate.desired.manifest import Manifest, child
from headgate.domain.addresses import Block, host, network, reachable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headgate.api.network import EgressRule, IngressRule, Port
    from headgate.desired.context import NamespaceContext

_DNS_PORT = 53
_NAMESPACE_NAME = "kubernetes.io/metadata.name"
_IN = "Ingress"
_OUT = "Egress"


def network_policies(context: NamespaceContext) -> tuple[Manifest, ...]:
    """The default deny both ways, and one policy for each reason to open something."""
    policies = (default_deny(context), allow_dns(context), allow_gateway(context), declared(context))
    return tuple(policy for policy in policies if policy is not None)


def default_deny(context: NamespaceContext) -> Manifest:
    """Nothing in, nothing out; also between pods of the same namespace."""
    return _policy(context, "headgate-default-deny", {"policyTypes": [_IN, _OUT]})


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
    return _policy(context, "headgate-allow-gateway", {"policyTypes": [_OUT], "egress": [{"to": [peer]}]})


def declared(context: NamespaceContext) -> Manifest | None:
    """What the Workspace opens beyond that, without the metadata addresses; None where it opens nothing.

    A rule of which nothing is left is left out.
    """
    wanted = context.workspace.spec.network
    egress = _rules("to", ((reachable(rule.cidr or ""), rule) for rule in wanted.egress))
    ingress = _rules("from", ((_whole(rule.cidr or ""), rule) for rule in wanted.ingress))
    spec: dict[str, Any] = {"policyTypes": [kind for kind, rules in ((_IN, ingress), (_OUT, egress)) if rules]}
    if ingress:
        spec["ingress"] = ingress
    if egress:
        spec["egress"] = egress
    return _policy(context, "headgate-declared", spec) if spec["policyTypes"] else None


def _policy(context: NamespaceContext, name: str, spec: dict[str, Any]) -> Manifest:
    return child(
        NETWORK_POLICY,
        name=name,
        namespace=context.namespace,
        workspace=context.owner,
        spec={"podSelector": {}, **spec},
    )


def _rules(direction: str, rules: Iterable[tuple[Block | None, EgressRule | IngressRule]]) -> list[dict[str, Any]]:
    return [
        {
            direction: [{"ipBlock": block.to_wire()}],
            **({"ports": [_port(port) for port in rule.ports]} if rule.ports else {}),
        }
        for block, rule in rules
        if block is not None
    ]


def _whole(cidr: str) -> Block | None:
    try:
        return Block(str(network(cidr)))
    except ValueError:
        return None


def _port(port: Port) -> dict[str, Any]:
    single: dict[str, Any] = {"protocol": port.protocol, "port": port.port}
    return single if port.end_port is None else {**single, "endPort": port.end_port}


def _labelled(key: str, value: str) -> dict[str, Any]:
    return {"matchLabels": {key: value}}
