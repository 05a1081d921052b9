"""What is wrong with an object that its schema let through.

The API server refuses most of this when the object is applied. It is looked at again because objects can be older than
the rules, and because a few rules are beyond what the schema can say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from headgate.api.placement import LABEL_KEY_PATTERN
from headgate.domain.addresses import network, reachable
from headgate.domain.amounts import Amount
from headgate.domain.shares import is_counted, weigh

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from headgate.api.network import EgressRule, IngressRule, Port
    from headgate.api.quota import Quota
    from headgate.api.workspace import Workspace

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LONGEST_LABEL = 63
_MOST_PERCENT = 100


def problems_of_workspace(workspace: Workspace) -> tuple[str, ...]:
    """What has to be changed in the Workspace before its children can be built; each a sentence for people."""
    return (
        *_naming(workspace),
        *_sharing(workspace),
        *_network(workspace),
        *_membership(workspace),
        *_placement(workspace),
    )


def problems_of_quota(quota: Quota) -> tuple[str, ...]:
    """What has to be changed in the Quota before it can be used; each a sentence for people."""
    return (*_compute(quota.spec.compute), *_containers(quota))


def _naming(workspace: Workspace) -> Iterator[str]:
    name = workspace.metadata.name
    if not workspace.spec.namespaces and not _LABEL.fullmatch(name):
        yield f"{name} cannot be the name of a namespace: list spec.namespaces"
    elif len(name) > _LONGEST_LABEL:
        yield f"{name} is longer than the {_LONGEST_LABEL} characters that a label can hold: choose a shorter name"
    seen: set[str] = set()
    for wanted in workspace.spec.namespaces:
        if wanted.name in seen:
            yield f"spec.namespaces has {wanted.name} twice: remove one"
        seen.add(wanted.name)


def _sharing(workspace: Workspace) -> Iterator[str]:
    shares = {wanted.name: wanted.share for wanted in workspace.spec.namespaces}
    given = sum(share or 0 for share in shares.values())
    if given > _MOST_PERCENT:
        yield f"the shares of spec.namespaces add up to {given} percent: lower them to 100 at most"
        return
    for name, weight in weigh(shares).items():
        if weight == 0:
            yield f"nothing is left for namespace {name}: lower the shares of the others"


def _network(workspace: Workspace) -> Iterator[str]:
    declared = workspace.spec.network
    own = {wanted.name for wanted in workspace.spec.namespaces} or {workspace.metadata.name}
    for outgoing in declared.egress:
        where = "spec.network.egress"
        yield from _peer(where, {**_peers(outgoing), "internet": outgoing.internet}, own)
        if outgoing.cidr is not None and _is_network(outgoing.cidr) and reachable(outgoing.cidr) is None:
            yield f"{where}: {outgoing.cidr} holds nothing but metadata addresses, which stay closed: remove it"
        yield from _ports(where, outgoing.ports)
    for incoming in declared.ingress:
        where = "spec.network.ingress"
        yield from _peer(where, _peers(incoming), own)
        yield from _ports(where, incoming.ports)


def _peers(rule: EgressRule | IngressRule) -> dict[str, str | bool | None]:
    return {"cidr": rule.cidr, "namespace": rule.namespace}


def _peer(where: str, peers: Mapping[str, str | bool | None], own: Container[str]) -> Iterator[str]:
    if sum(peer is not None for peer in peers.values()) != 1:
        *head, tail = peers
        yield f"{where}: every rule has exactly one of {', '.join(head)} and {tail}"
    cidr, namespace = peers["cidr"], peers["namespace"]
    if isinstance(cidr, str) and not _is_network(cidr):
        yield f"{where}: {cidr} is no network such as 203.0.113.0/24"
    if namespace is not None and namespace not in own:
        yield f"{where}: {namespace} is no namespace of this Workspace: list it in spec.namespaces or remove the rule"
    if peers.get("internet") is False:
        yield f"{where}: remove the rule instead of setting internet to false: what no rule allows is denied"


def _ports(where: str, ports: Iterable[Port]) -> Iterator[str]:
    for port in ports:
        if port.end_port is not None and port.end_port < port.port:
            yield f"{where}: endPort {port.end_port} is below port {port.port}"


def _is_network(cidr: str) -> bool:
    try:
        network(cidr)
    except ValueError:
        return False
    return True


def _membership(workspace: Workspace) -> Iterator[str]:
    for member in workspace.spec.members:
        subject = member.subject
        if subject.kind == "ServiceAccount" and subject.namespace is None:
            yield f"spec.members: ServiceAccount {subject.name} needs its namespace"


def _placement(workspace: Workspace) -> Iterator[str]:
    for key in workspace.spec.scheduling.node_selector:
        if not re.fullmatch(LABEL_KEY_PATTERN, key):
            yield f"spec.scheduling.nodeSelector: {key} cannot be the key of a label"


def _compute(compute: Mapping[str, str]) -> Iterator[str]:
    for resource, text in compute.items():
        amount = _amount(text)
        if amount is None or amount.nanos < 0:
            yield f"spec.compute: {resource} must be an amount of zero or more such as 500m, 2 or 1Gi, not {text}"
        elif is_counted(resource) and not amount.in_resource_list().is_whole:
            yield f"spec.compute: {resource} must be a whole number, not {text}"


def _containers(quota: Quota) -> Iterator[str]:
    defaults = quota.spec.container_defaults
    bounds = {
        "min": defaults.min,
        "defaultRequest": defaults.default_request,
        "default": defaults.default,
        "max": defaults.max,
    }
    amounts: dict[str, dict[str, Amount]] = {}
    for field, texts in bounds.items():
        amounts[field] = {}
        for resource, text in texts.items():
            amount = _amount(text)
            if amount is None or amount.nanos < 0:
                yield f"spec.containerDefaults.{field}: {resource} must be an amount of zero or more, not {text}"
            else:
                amounts[field][resource] = amount
    for lesser, greater in _pairs(list(bounds)):
        for resource in sorted(amounts[lesser].keys() & amounts[greater].keys()):
            if amounts[lesser][resource] > amounts[greater][resource]:
                yield f"spec.containerDefaults: {lesser} of {resource} is above {greater}: lower one or raise the other"


def _pairs(fields: list[str]) -> Iterator[tuple[str, str]]:
    for index, lesser in enumerate(fields):
        for greater in fields[index + 1 :]:
            yield lesser, greater


def _amount(text: str) -> Amount | None:
    try:
        return Amount.parse(text)
    except ValueError:
        return None
