"""A network namespace of the cluster's own, and the veth pair that joins it to the host.

Addresses come from 16 slots; slot N is

    10.180.N.0/30        the veth pair: .1 is the host, .2 the node
    10.181.(16 N).0/20   pods
    10.182.(16 N).0/20   Services; .10 is DNS

The host routes the last two through the node, and pods reach the host's end of the pair with their own
source address. Nothing is masqueraded and nothing leaves the machine, so the host forwards no packet.
"""

from __future__ import annotations

import fcntl
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from hack.shell import run, succeeds

SLOTS = 16
# A wider route than this (a VPN's 10.0.0.0/8, say) yields to ours, which are more specific.
_WIDE = 12


@dataclass(frozen=True)
class Addresses:
    """Every address of a cluster, as its slot gives them."""

    slot: int

    @property
    def link(self) -> IPv4Network:
        """The network of the veth pair."""
        return IPv4Network(f"10.180.{self.slot}.0/30")

    @property
    def host(self) -> IPv4Address:
        """Where pods reach a process of the host."""
        return self.link[1]

    @property
    def node(self) -> IPv4Address:
        """The node, with the API server on port 6443."""
        return self.link[2]

    @property
    def pods(self) -> IPv4Network:
        """The source addresses of pods."""
        return IPv4Network(f"10.181.{16 * self.slot}.0/20")

    @property
    def services(self) -> IPv4Network:
        """The addresses of Services."""
        return IPv4Network(f"10.182.{16 * self.slot}.0/20")

    @property
    def api_service(self) -> IPv4Address:
        """The Service `kubernetes`."""
        return self.services[1]

    @property
    def dns(self) -> IPv4Address:
        """The Service `kube-dns`."""
        return self.services[10]

    @property
    def interface(self) -> str:
        """The name of the host's end of the veth pair."""
        return f"hg{self.slot}"

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://{self.node}:6443"

    def free(self, routes: list[IPv4Network]) -> bool:
        """Whether no route of the host competes with these networks."""
        ours = (self.link, self.pods, self.services)
        return not any(route.overlaps(network) for route in routes for network in ours if route.prefixlen >= _WIDE)


def exists(netns: str) -> bool:
    """Whether the network namespace is there."""
    return Path("/run/netns", netns).exists()


def create(netns: str, kept: Addresses | None) -> Addresses:
    """Makes the namespace and joins it to the host: with the addresses that were kept, or with free ones."""
    with _one_at_a_time():
        addresses = choose(netns, _routes(), kept)
        run("ip", "netns", "add", netns)
        _join(netns, addresses)
    return addresses


def choose(netns: str, routes: list[IPv4Network], kept: Addresses | None) -> Addresses:
    """The kept addresses or, starting with a slot that depends on the name only, the first free ones."""
    if kept is not None:
        if not kept.free(routes):
            raise RuntimeError(f"something else now routes {kept.link}, {kept.pods} or {kept.services}: `down` first")
        return kept
    first = zlib.crc32(netns.encode()) % SLOTS
    for step in range(SLOTS):
        addresses = Addresses((first + step) % SLOTS)
        if addresses.free(routes):
            return addresses
    raise RuntimeError("all 16 slots of 10.180.0.0/16 to 10.182.0.0/16 are in use on this machine")


def delete(netns: str, addresses: Addresses | None) -> None:
    """Removes the namespace with all that is in it; does nothing when there is none."""
    if not exists(netns):
        return
    # Only while the namespace is ours does the interface of its slot belong to it.
    if addresses is not None and succeeds("ip", "link", "show", "dev", addresses.interface):
        run("ip", "link", "delete", "dev", addresses.interface)
    run("ip", "netns", "delete", netns)


def _join(netns: str, addresses: Addresses) -> None:
    prefix = addresses.link.prefixlen
    near, far = addresses.interface, "eth0"
    run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", netns)
    run("ip", "address", "add", f"{addresses.host}/{prefix}", "dev", near)
    run("ip", "link", "set", near, "up")
    run("ip", "-n", netns, "link", "set", "lo", "up")
    run("ip", "-n", netns, "address", "add", f"{addresses.node}/{prefix}", "dev", far)
    run("ip", "-n", netns, "link", "set", far, "up")
    run("ip", "-n", netns, "route", "add", "default", "via", str(addresses.host))
    # Each pod has a route of its own; an address without a pod must fail at once and not go back to the host.
    run("ip", "-n", netns, "route", "add", "unreachable", str(addresses.pods))
    for network in (addresses.pods, addresses.services):
        run("ip", "route", "add", str(network), "via", str(addresses.node), "dev", near)
    run("nsenter", f"--net=/run/netns/{netns}", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")


def _routes() -> list[IPv4Network]:
    listed = json.loads(run("ip", "-j", "-4", "route", "show") or "[]")
    return [IPv4Network(route["dst"]) for route in listed if route["dst"] != "default"]


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    lock_file = Path("/run/headgate/.network.lock")
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
