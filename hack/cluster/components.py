"""How each component is started. The order is the order of starting; stopping goes the other way."""

from __future__ import annotations

from hack.cluster import mounts
from hack.cluster.build import program
from hack.cluster.config import client_kubeconfig
from hack.cluster.network import Addresses
from hack.cluster.paths import Layout

# The API server comes before everything that only waits for it.
FOUNDATION = ("etcd", "containerd", "kube-apiserver")
CLIENTS = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns")
COMPONENTS = FOUNDATION + CLIENTS
# Runs only while someone wants NetworkPolicies enforced.
ENFORCER = "kube-router"


def command(layout: Layout, addresses: Addresses, component: str) -> list[str]:
    """The command line of a component, inside the cluster's namespaces."""
    arguments = {
        "etcd": _etcd,
        "containerd": _containerd,
        "kube-apiserver": _apiserver,
        "kube-controller-manager": _controller_manager,
        "kube-scheduler": _scheduler,
        "kubelet": _kubelet,
        "kube-proxy": _kube_proxy,
        "coredns": _coredns,
        ENFORCER: _kube_router,
    }[component](layout, addresses)
    executable = "containerd" if component == "containerd" else str(program(component))
    # Not `ip netns exec`: it mounts a fresh /sys, in which there are no cgroups.
    entered = ["nsenter", f"--net=/run/netns/{layout.netns}", f"--mount={mounts.namespace(layout)}"]
    return [*entered, executable, *arguments]


def _etcd(layout: Layout, _: Addresses) -> list[str]:
    pki = layout.pki
    return [
        f"--name={layout.name}",
        f"--data-dir={layout.state}/etcd",
        "--listen-client-urls=https://127.0.0.1:2379",
        "--advertise-client-urls=https://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        f"--cert-file={pki}/etcd-server.crt",
        f"--key-file={pki}/etcd-server.key",
        f"--trusted-ca-file={pki}/etcd-ca.crt",
        "--client-cert-auth",
        # A development cluster can be made again; speed is worth more than what a power cut may cost.
        "--unsafe-no-fsync",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=10m",
        "--quota-backend-bytes=8589934592",
        "--log-level=warn",
    ]


def _containerd(layout: Layout, _: Addresses) -> list[str]:
    return [f"--config={layout.config}/containerd.toml", "--log-level=info"]


def _apiserver(layout: Layout, addresses: Addresses) -> list[str]:
    pki = layout.pki
    return [
        "--etcd-servers=https://127.0.0.1:2379",
        f"--etcd-cafile={pki}/etcd-ca.crt",
        f"--etcd-certfile={pki}/etcd-client.crt",
        f"--etcd-keyfile={pki}/etcd-client.key",
        f"--advertise-address={addresses.node}",
        "--secure-port=6443",
        f"--service-cluster-ip-range={addresses.services}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/service-account.pub",
        f"--service-account-signing-key-file={pki}/service-account.key",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--audit-policy-file={layout.config}/audit.json",
        f"--audit-log-path={layout.logs}/audit.log",
        "--audit-log-maxsize=100",
        "--audit-log-maxbackup=3",
        # One server is never elected anything; a stopped one need not wait for load balancers.
        "--shutdown-delay-duration=0s",
    ]


def _controller_manager(layout: Layout, addresses: Addresses) -> list[str]:
    kubeconfig = client_kubeconfig(layout, "kube-controller-manager")
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--root-ca-file={layout.pki}/ca.crt",
        f"--client-ca-file={layout.pki}/ca.crt",
        f"--cluster-signing-cert-file={layout.pki}/ca.crt",
        f"--cluster-signing-key-file={layout.pki}/ca.key",
        f"--service-account-private-key-file={layout.pki}/service-account.key",
        f"--service-cluster-ip-range={addresses.services}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        # Hundreds of workspaces at once, each with a namespace, a quota and accounts.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--concurrent-job-syncs=20",
        "--concurrent-namespace-syncs=30",
        "--concurrent-resource-quota-syncs=20",
        "--concurrent-serviceaccount-token-syncs=20",
    ]


def _scheduler(layout: Layout, _: Addresses) -> list[str]:
    kubeconfig = client_kubeconfig(layout, "kube-scheduler")
    return [
        f"--config={layout.config}/scheduler.json",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
    ]


def _kubelet(layout: Layout, addresses: Addresses) -> list[str]:
    return [
        f"--config={layout.config}/kubelet.json",
        f"--kubeconfig={client_kubeconfig(layout, 'kubelet')}",
        f"--hostname-override={layout.name}",
        f"--node-ip={addresses.node}",
    ]


def _kube_proxy(layout: Layout, _: Addresses) -> list[str]:
    return [f"--config={layout.config}/kube-proxy.json"]


def _coredns(layout: Layout, _: Addresses) -> list[str]:
    return [f"-conf={layout.config}/Corefile"]


def _kube_router(layout: Layout, addresses: Addresses) -> list[str]:
    """Its firewall alone: routes and Services are others' business here."""
    return [
        f"--kubeconfig={layout.kubeconfig}",
        f"--hostname-override={layout.name}",
        f"--service-cluster-ip-range={addresses.services}",
        "--run-firewall=true",
        "--run-router=false",
        "--run-service-proxy=false",
        "--enable-cni=false",
    ]
