"""Every way to make a pod, and every way in which one may be bad."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.cluster.escape.cases import POD_SECURITY, policy
from tests.cluster.escape.requests import Request, create
from tests.cluster.escape.stage import REGISTRY

Spec = dict[str, Any]
REGION = "topology.kubernetes.io/region"

POD: Spec = {
    "automountServiceAccountToken": False,
    "nodeSelector": {"disktype": "ssd", REGION: "eu-1"},
    "priorityClassName": "{priority}",
    "runtimeClassName": "{runtime}",
    "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "main",
            "image": f"{REGISTRY}/app:1",
            "imagePullPolicy": "Always",
            "resources": {
                "requests": {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "16Mi"},
                "limits": {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "16Mi"},
            },
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}
"""As the attacker's workspace asks for it."""

_LABELS = {"app": "x"}


def _holder(group: str, plural: str, kind: str, wrap: Callable[[Spec], Spec]) -> Callable[[Spec], Request]:
    base = f"/apis/{group}/v1" if group else "/api/v1"
    version = f"{group}/v1" if group else "v1"

    def make(template: Spec) -> Request:
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": "try"}, **wrap(copy.deepcopy(template))}
        return create(f"{base}/namespaces/{{ns}}/{plural}", body)

    return make


def _once(template: Spec) -> Spec:
    return {**template, "spec": {"restartPolicy": "Never", **template["spec"]}}


def _selected(**more: Any) -> Callable[[Spec], Spec]:
    return lambda template: {"spec": {"selector": {"matchLabels": _LABELS}, "template": template, **more}}


@dataclass(frozen=True)
class Path:
    """One way to make a pod."""

    make: Callable[[Spec], Request]
    """The request, for a template with ``metadata`` and ``spec``."""
    who: str = "owner"


PATHS: Mapping[str, Path] = {
    "pod": Path(
        _holder("", "pods", "Pod", lambda t: {"metadata": {**t["metadata"], "name": "try"}, "spec": t["spec"]})
    ),
    "job": Path(_holder("batch", "jobs", "Job", lambda t: {"spec": {"template": _once(t)}})),
    "cronjob": Path(
        _holder(
            "batch",
            "cronjobs",
            "CronJob",
            lambda t: {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": _once(t)}}}},
        )
    ),
    "deployment": Path(_holder("apps", "deployments", "Deployment", _selected())),
    "statefulset": Path(_holder("apps", "statefulsets", "StatefulSet", _selected(serviceName="x"))),
    # Members may not make these; somebody whom RBAC lets do everything in the namespace still makes none that is bad.
    "daemonset": Path(_holder("apps", "daemonsets", "DaemonSet", _selected()), "broad"),
    "replicaset": Path(_holder("apps", "replicasets", "ReplicaSet", _selected()), "broad"),
    "replicationcontroller": Path(
        _holder(
            "",
            "replicationcontrollers",
            "ReplicationController",
            lambda t: {"spec": {"selector": _LABELS, "template": t}},
        ),
        "broad",
    ),
    "podtemplate": Path(_holder("", "podtemplates", "PodTemplate", lambda t: {"template": t}), "broad"),
}


def template(spec: Spec | None = None, **metadata: Any) -> Spec:
    """A template of pods, the harmless one unless another spec is given."""
    metadata["labels"] = {**_LABELS, **metadata.get("labels", {})}
    return {"metadata": metadata, "spec": copy.deepcopy(POD) if spec is None else spec}


@dataclass(frozen=True)
class Flaw:
    """What is bad about a pod."""

    change: Callable[[Spec], None]
    """Makes it so, in a template that is good."""
    by: str
    """The policy that says so."""

    def applied(self) -> Spec:
        """A bad template."""
        bad = template()
        self.change(bad)
        return bad

    def denied_by(self, path: str) -> str:
        """What the denial says. Kubernetes' own admission comes first for pods, and only warns of what makes them."""
        return f"{POD_SECURITY}|{policy(self.by)}" if path == "pod" and self.by == "pod-security" else policy(self.by)


def _pod(**fields: Any) -> Callable[[Spec], None]:
    return lambda template: template["spec"].update(fields)


def _pod_context(**fields: Any) -> Callable[[Spec], None]:
    return lambda template: template["spec"]["securityContext"].update(fields)


def _main(**fields: Any) -> Callable[[Spec], None]:
    return lambda template: template["spec"]["containers"][0].update(fields)


def _context(**fields: Any) -> Callable[[Spec], None]:
    return lambda template: template["spec"]["containers"][0]["securityContext"].update(fields)


def _without_context(*fields: str) -> Callable[[Spec], None]:
    def change(template: Spec) -> None:
        for field in fields:
            template["spec"]["containers"][0]["securityContext"].pop(field)

    return change


def _without_pod_context(*fields: str) -> Callable[[Spec], None]:
    def change(template: Spec) -> None:
        for field in fields:
            template["spec"]["securityContext"].pop(field)

    return change


def _init(**fields: Any) -> Callable[[Spec], None]:
    """A container that comes before the others, good but for these fields."""

    def change(template: Spec) -> None:
        other = copy.deepcopy(template["spec"]["containers"][0])
        template["spec"]["initContainers"] = [{**other, "name": "first", **fields}]

    return change


def _unmasked(template: Spec) -> None:
    template["spec"]["hostUsers"] = False
    template["spec"]["containers"][0]["securityContext"]["procMount"] = "Unmasked"


def _host_process(template: Spec) -> None:
    template["spec"]["hostNetwork"] = True
    template["spec"]["securityContext"]["windowsOptions"] = {"hostProcess": True}


def _volume(**source: Any) -> Callable[[Spec], None]:
    return _pod(volumes=[{"name": "v", **source}])


def _selector(**labels: str) -> Callable[[Spec], None]:
    return lambda template: template["spec"].update(nodeSelector={**labels})


def _tolerates(**toleration: str) -> Callable[[Spec], None]:
    return _pod(tolerations=[toleration])


def _affine(*terms: list[Spec]) -> Callable[[Spec], None]:
    """Without a region in the node selector, and with these terms instead."""

    def change(template: Spec) -> None:
        template["spec"]["nodeSelector"] = {"disktype": "ssd"}
        required = {"nodeSelectorTerms": [{"matchExpressions": term} for term in terms]}
        template["spec"]["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}

    return change


def _in(*values: str) -> Spec:
    return {"key": REGION, "operator": "In", "values": list(values)}


def _annotated(**annotations: str) -> Callable[[Spec], None]:
    return lambda template: template["metadata"].update(annotations=annotations)


def _labelled(key: str, value: str) -> Callable[[Spec], None]:
    return lambda template: template["metadata"]["labels"].update({key: value})


def _security(**changes: Callable[[Spec], None]) -> dict[str, Flaw]:
    return {name.replace("_", "-"): Flaw(change, "pod-security") for name, change in changes.items()}


_ROOT_CONTEXT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsUser": 0}
_PRIVILEGED = {"privileged": True}

FLAWS: Mapping[str, Flaw] = {
    **_security(
        host_network=_pod(hostNetwork=True),
        host_pid=_pod(hostPID=True),
        host_ipc=_pod(hostIPC=True),
        privileged=_main(securityContext=_PRIVILEGED),
        privileged_init=_init(securityContext=_PRIVILEGED),
        capability_sys_admin=_context(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
        capability_of_baseline=_context(capabilities={"drop": ["ALL"], "add": ["CHOWN"]}),
        capabilities_dropped_in_part=_context(capabilities={"drop": ["NET_RAW"]}),
        host_path=_volume(hostPath={"path": "/"}),
        volume_nfs=_volume(nfs={"server": "10.0.0.1", "path": "/"}),
        volume_iscsi=_volume(iscsi={"targetPortal": "10.0.0.1", "iqn": "iqn.2001-04.com.example:x", "lun": 0}),
        host_port=_main(ports=[{"containerPort": 80, "hostPort": 80}]),
        probe_of_another_host=_main(livenessProbe={"httpGet": {"host": "169.254.169.254", "port": 80}}),
        hook_to_another_host=_main(lifecycle={"preStop": {"tcpSocket": {"host": "10.0.0.1", "port": 80}}}),
        seccomp_unconfined=_pod_context(seccompProfile={"type": "Unconfined"}),
        seccomp_unconfined_container=_context(seccompProfile={"type": "Unconfined"}),
        app_armor_unconfined=_pod_context(appArmorProfile={"type": "Unconfined"}),
        app_armor_unconfined_container=_context(appArmorProfile={"type": "Unconfined"}),
        se_linux_type=_pod_context(seLinuxOptions={"type": "spc_t"}),
        se_linux_user=_context(seLinuxOptions={"user": "system_u"}),
        se_linux_role=_context(seLinuxOptions={"role": "system_r"}),
        proc_mount=_unmasked,
        sysctl=_pod_context(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
        escalation=_context(allowPrivilegeEscalation=True),
        root_of_container=_context(runAsNonRoot=False),
        root_user_of_pod=_pod_context(runAsUser=0),
        root_user_of_container=_context(runAsUser=0),
        root_user_of_init=_init(securityContext=_ROOT_CONTEXT),
        host_process=_host_process,
    ),
    "registry-none": Flaw(_main(image="evil/app"), "pod-images"),
    "registry-other": Flaw(_main(image="evil.example.com/team/app:1"), "pod-images"),
    "registry-longer": Flaw(_main(image="registry.example.com.evil.io/team/app:1"), "pod-images"),
    "registry-port": Flaw(_main(image="registry.example.com:5000/team/app:1"), "pod-images"),
    "registry-path-longer": Flaw(_main(image="registry.example.com/team-evil/app:1"), "pod-images"),
    "registry-path-above": Flaw(_main(image="registry.example.com/app:1"), "pod-images"),
    "registry-digest": Flaw(_main(image=f"evil.example.com/app@sha256:{'0' * 64}"), "pod-images"),
    "registry-localhost": Flaw(_main(image="localhost/library/app"), "pod-images"),
    "registry-docker-alias": Flaw(_main(image="index.docker.io/evil/app"), "pod-images"),
    "registry-init": Flaw(_init(image="evil/app"), "pod-images"),
    "registry-image-volume": Flaw(_volume(image={"reference": "evil/app", "pullPolicy": "Always"}), "pod-images"),
    "pull-policy": Flaw(_main(image=f"{REGISTRY}/app", imagePullPolicy="IfNotPresent"), "pod-images"),
    "pull-policy-never": Flaw(_main(imagePullPolicy="Never"), "pod-images"),
    "pull-policy-init": Flaw(_init(imagePullPolicy="Never"), "pod-images"),
    "pull-policy-volume": Flaw(_volume(image={"reference": f"{REGISTRY}/data:1", "pullPolicy": "Never"}), "pod-images"),
    "node-name": Flaw(_pod(nodeName="control-plane"), "pod-scheduling"),
    "selector-other": Flaw(_selector(**{"disktype": "hdd", REGION: "eu-1"}), "pod-scheduling"),
    "region-other": Flaw(_selector(**{"disktype": "ssd", REGION: "us-1"}), "pod-scheduling"),
    "region-one-term-too-wide": Flaw(_affine([_in("eu-1")], [_in("us-1")]), "pod-scheduling"),
    "region-one-value-too-many": Flaw(_affine([_in("eu-1", "us-1")]), "pod-scheduling"),
    "region-not-in": Flaw(_affine([{"key": REGION, "operator": "NotIn", "values": ["us-1"]}]), "pod-scheduling"),
    "region-exists": Flaw(_affine([{"key": REGION, "operator": "Exists"}]), "pod-scheduling"),
    "toleration-of-everything": Flaw(_tolerates(operator="Exists"), "pod-scheduling"),
    "toleration-of-control-plane": Flaw(
        _tolerates(key="node-role.kubernetes.io/control-plane", operator="Exists", effect="NoSchedule"),
        "pod-scheduling",
    ),
    "toleration-of-another-value": Flaw(
        _tolerates(key="dedicated", value="others", effect="NoSchedule"), "pod-scheduling"
    ),
    "toleration-of-every-value": Flaw(
        _tolerates(key="dedicated", operator="Exists", effect="NoSchedule"), "pod-scheduling"
    ),
    "toleration-of-another-effect": Flaw(
        _tolerates(key="dedicated", value="team", effect="NoExecute"), "pod-scheduling"
    ),
    "toleration-of-every-effect": Flaw(_tolerates(key="dedicated", value="team"), "pod-scheduling"),
    "priority-of-the-system": Flaw(_pod(priorityClassName="system-cluster-critical"), "pod-scheduling"),
    "runtime-other": Flaw(_pod(runtimeClassName="{runtime}-other"), "pod-scheduling"),
    "account-of-runs": Flaw(_pod(serviceAccountName="headgate-run"), "pod-identity"),
    "volume-labelled": Flaw(
        _volume(
            ephemeral={
                "volumeClaimTemplate": {
                    "metadata": {"labels": {"headgate.dev/workspace": "{victim}"}},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
                }
            }
        ),
        "pod-identity",
    ),
}

SILENCES: Mapping[str, Flaw] = {
    **_security(
        capabilities=_without_context("capabilities"),
        escalation=_without_context("allowPrivilegeEscalation"),
        context=_main(securityContext=None),
        seccomp=_without_pod_context("seccompProfile"),
        root=_without_pod_context("runAsNonRoot"),
        pod_context=_pod(securityContext=None),
        init_context=_init(securityContext=None),
    ),
    "pull-policy": Flaw(_main(imagePullPolicy=None), "pod-images"),
    "pull-policy-as-kubernetes-gives-it": Flaw(_main(imagePullPolicy="IfNotPresent"), "pod-images"),
    "pull-policy-volume": Flaw(_volume(image={"reference": f"{REGISTRY}/data:1"}), "pod-images"),
    "selector": Flaw(_selector(**{REGION: "eu-1"}), "pod-scheduling"),
    "selector-of-something-else": Flaw(_selector(**{"arch": "arm", REGION: "eu-1"}), "pod-scheduling"),
    "runtime": Flaw(lambda template: template["spec"].pop("runtimeClassName"), "pod-scheduling"),
    "region": Flaw(_selector(disktype="ssd"), "pod-scheduling"),
}
"""What pods do not say although the workspace's rules ask for it. Without defaults each of it is a flaw."""

FORGED: Mapping[str, Callable[[Spec], None]] = {
    "template-label-workspace": _labelled("headgate.dev/workspace", "{victim}"),
    "template-label-run": _labelled("headgate.dev/run", "00000000-0000-0000-0000-000000000000"),
    "template-label-managed": _labelled("app.kubernetes.io/managed-by", "headgate"),
}
"""Labels of a template that are Headgate's."""

HARMLESS: Mapping[str, Callable[[Spec], None]] = {
    "as-is": lambda _template: None,
    "image-of-docker-hub": _main(image="nginx"),
    "image-of-docker-hub-in-full": _main(image="docker.io/nginx:1"),
    "image-of-docker-hub-s-library": _main(image="index.docker.io/library/nginx"),
    "image-by-digest": _main(image=f"{REGISTRY}/app@sha256:{'0' * 64}"),
    "image-volume": _volume(image={"reference": f"{REGISTRY}/data:1", "pullPolicy": "Always"}),
    "capability-to-bind": _context(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    "seccomp-of-the-container": _context(seccompProfile={"type": "RuntimeDefault"}),
    "safe-sysctl": _pod_context(sysctls=[{"name": "net.ipv4.tcp_syncookies", "value": "1"}]),
    "empty-dir": _volume(emptyDir={}),
    "init": _init(),
    "other-region": _selector(**{"disktype": "ssd", REGION: "eu-2"}),
    "region-by-affinity": _affine([_in("eu-1", "eu-2")], [_in("eu-2")]),
    "toleration-that-is-allowed": _tolerates(key="dedicated", value="team", effect="NoSchedule"),
    "toleration-of-any-value": _tolerates(key="spot", operator="Exists", effect="NoExecute"),
    "toleration-of-one-of-any-value": _tolerates(key="spot", value="x", effect="NoExecute"),
    "toleration-of-kubernetes": _tolerates(key="node.kubernetes.io/not-ready", operator="Exists", effect="NoExecute"),
    "token": _pod(automountServiceAccountToken=True),
    "host-aliases": _pod(hostAliases=[{"ip": "127.0.0.1", "hostnames": ["x"]}]),
    "managed-by-another": _labelled("app.kubernetes.io/managed-by", "helm"),
}
