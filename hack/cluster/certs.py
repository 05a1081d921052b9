"""Keys and certificates, made with the openssl command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hack.cluster.network import Addresses
from hack.shell import run

_DAYS = "3650"
# Without a configuration of our own, openssl takes the machine's, whose defaults make every certificate a CA's.
_CONFIG = "[req]\ndistinguished_name=dn\n[dn]\n"


@dataclass(frozen=True)
class Identity:
    """A certificate to issue: who it is for, which CA signs it, and what it may be used for."""

    name: str
    subject: str
    authority: str = "ca"
    names: tuple[str, ...] = ()

    @property
    def extensions(self) -> list[str]:
        """The X.509 extensions of the certificate."""
        usage = "serverAuth,clientAuth" if self.names else "clientAuth"
        extensions = [
            "basicConstraints=critical,CA:FALSE",
            "keyUsage=critical,digitalSignature",
            f"extendedKeyUsage={usage}",
            "subjectKeyIdentifier=hash",
            "authorityKeyIdentifier=keyid",
        ]
        if self.names:
            extensions.append("subjectAltName=" + ",".join(self.names))
        return extensions


def identities(node: str, addresses: Addresses) -> list[Identity]:
    """All certificates of a cluster with one node."""
    services = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    api_names = tuple(f"DNS:{name}" for name in ("localhost", *services))
    api_addresses = tuple(f"IP:{ip}" for ip in ("127.0.0.1", addresses.node, addresses.api_service))
    return [
        Identity("etcd-server", "/CN=etcd", "etcd-ca", ("DNS:localhost", "IP:127.0.0.1")),
        Identity("etcd-client", "/CN=kube-apiserver", "etcd-ca"),
        Identity("apiserver", "/CN=kube-apiserver", names=api_names + api_addresses),
        Identity("apiserver-kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
        Identity("front-proxy-client", "/CN=front-proxy-client", "front-proxy-ca"),
        Identity("kubelet-server", f"/CN={node}", names=(f"DNS:{node}", f"IP:{addresses.node}")),
        Identity("kubelet", f"/O=system:nodes/CN=system:node:{node}"),
        Identity("kube-controller-manager", "/CN=system:kube-controller-manager"),
        Identity("kube-scheduler", "/CN=system:kube-scheduler"),
        Identity("kube-proxy", "/CN=system:kube-proxy"),
        Identity("coredns", "/CN=headgate:coredns"),
        Identity("admin", "/O=system:masters/CN=admin"),
    ]


def issue(folder: Path, node: str, addresses: Addresses) -> None:
    """Fills the folder with the cluster's keys and certificates, unless a former call did."""
    done = folder / "issued"
    if done.exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "openssl.cnf").write_text(_CONFIG)
    for authority in ("ca", "etcd-ca", "front-proxy-ca"):
        _authority(folder, authority)
    for identity in identities(node, addresses):
        _leaf(folder, identity)
    run("openssl", "genrsa", "-out", folder / "service-account.key", "2048")
    run("openssl", "rsa", "-in", folder / "service-account.key", "-pubout", "-out", folder / "service-account.pub")
    done.touch()


def _authority(folder: Path, name: str) -> None:
    extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"]
    _request(folder, name, f"/CN=headgate-{name}", [*extensions, "subjectKeyIdentifier=hash"], [])


def _leaf(folder: Path, identity: Identity) -> None:
    signer = ["-CA", f"{folder / identity.authority}.crt", "-CAkey", f"{folder / identity.authority}.key"]
    _request(folder, identity.name, identity.subject, identity.extensions, signer)


def _request(folder: Path, name: str, subject: str, extensions: list[str], signer: list[str]) -> None:
    added = [word for extension in extensions for word in ("-addext", extension)]
    run(
        *("openssl", "req", "-x509", "-config", folder / "openssl.cnf", "-days", _DAYS, "-subj", subject),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"),
        *("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"),
        *added,
        *signer,
    )
