"""The configuration files of the components. JSON is YAML, so the standard library writes most of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from hack.cluster import kubeconfig
from hack.cluster.network import Addresses
from hack.cluster.paths import Layout
from hack.cluster.pause import PAUSE_TAG
from hack.shell import run

# Each with its own client certificate.
_CLIENTS = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns")


def write(layout: Layout, addresses: Addresses) -> None:
    """Writes every configuration file, and the kubeconfig of the administrator and of each component."""
    layout.config.mkdir(exist_ok=True)
    (layout.config / "cni").mkdir(exist_ok=True)
    documents = {
        "audit.json": audit_policy(),
        "scheduler.json": _scheduler(layout),
        "kubelet.json": _kubelet(layout, addresses),
        "kube-proxy.json": _kube_proxy(layout, addresses),
        "cni/10-pods.conflist": _cni(addresses),
    }
    texts = {name: json.dumps(document, indent=2) + "\n" for name, document in documents.items()}
    texts["containerd.toml"] = _containerd(layout)
    texts["Corefile"] = _corefile(layout, addresses)
    texts["resolv.conf"] = f"nameserver {addresses.dns}\n"
    for name, text in texts.items():
        path = layout.config / name
        # kube-proxy ends as soon as its file is written to, even with what was there.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    for client in _CLIENTS:
        path = client_kubeconfig(layout, client)
        kubeconfig.write(path, cluster=layout.name, server=addresses.server, pki=layout.pki, identity=client)
    kubeconfig.write(layout.kubeconfig, cluster=layout.name, server=addresses.server, pki=layout.pki, identity="admin")


def client_kubeconfig(layout: Layout, client: str) -> Path:
    """The kubeconfig of a component."""
    return layout.pki / f"{client}.kubeconfig"


def audit_policy() -> dict[str, Any]:
    """Records who wrote what, and leaves out reads and contents."""
    writes = ["create", "update", "patch", "delete", "deletecollection"]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "verbs": writes}, {"level": "None"}],
    }


def _scheduler(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {
            "kubeconfig": str(client_kubeconfig(layout, "kube-scheduler")),
            "qps": 500,
            "burst": 1000,
        },
        "leaderElection": {"leaderElect": False},
    }


def _kubelet(layout: Layout, addresses: Addresses) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{layout.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{layout.pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{layout.pki}/kubelet-server.key",
        "readOnlyPort": 0,
        "healthzBindAddress": str(addresses.node),
        "clusterDomain": "cluster.local",
        "clusterDNS": [str(addresses.dns)],
        "resolvConf": f"{layout.config}/resolv.conf",
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": layout.cgroup,
        "failCgroupV1": False,
        "failSwapOn": False,
        "podLogsDir": f"{layout.logs}/pods",
        "volumePluginDir": f"{layout.state}/volume-plugins",
        "maxPods": 250,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "serializeImagePulls": False,
        # Tests wait for restarts; the usual back-off grows to five minutes.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
        # A nearly full disk is the developer's business, and images are not to be had again by pulling.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
    }


def _kube_proxy(layout: Layout, addresses: Addresses) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": str(addresses.pods),
        "clientConnection": {"kubeconfig": str(client_kubeconfig(layout, "kube-proxy"))},
        "hostnameOverride": layout.name,
        # Zero leaves the machine's settings alone.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def _cni(addresses: Addresses) -> dict[str, Any]:
    # `ptp` and not `bridge`: between two pods of one bridge, answers from behind a Service bypass the node's
    # network stack unless br_netfilter is loaded, which would change how the host's own bridges work.
    pods = {
        "type": "ptp",
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": str(addresses.pods)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [pods]}


def _containerd(layout: Layout) -> str:
    plugin = 'plugins."io.containerd.grpc.v1.cri"'
    plugins = next((folder for folder in ("/usr/lib/cni", "/opt/cni/bin") if Path(folder, "ptp").exists()), None)
    if plugins is None:
        raise RuntimeError("the CNI plugins are missing: run `python3 -m hack.packages`")
    # overlayfs cannot stack on itself, which matters inside a container.
    on_overlay = "overlay" in run("stat", "--file-system", "--format=%T", layout.state)
    return f"""version = 2
root = "{layout.state}/containerd"
state = "{layout.run}/containerd"

[grpc]
address = "{layout.containerd_socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "{layout.state}/containerd-opt"

[{plugin}]
sandbox_image = "{PAUSE_TAG}"
# Without it runc, run by a containerd that cannot lower its own score, ends with "can't get final child's PID".
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[{plugin}.containerd]
snapshotter = "{"native" if on_overlay else "overlayfs"}"

[{plugin}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[{plugin}.containerd.runtimes.runc.options]
BinaryName = "{shutil.which("runc") or "/usr/sbin/runc"}"
SystemdCgroup = false

[{plugin}.cni]
bin_dir = "{plugins}"
conf_dir = "{layout.config}/cni"
"""


def _corefile(layout: Layout, addresses: Addresses) -> str:
    # Two blocks, because within one `template` would answer before `kubernetes` is asked. Nothing leaves the
    # machine, so names of other zones are denied at once instead of forwarded.
    return f"""cluster.local in-addr.arpa ip6.arpa {{
    bind {addresses.node}
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {client_kubeconfig(layout, "coredns")}
        ttl 5
    }}
}}

. {{
    bind {addresses.node}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
