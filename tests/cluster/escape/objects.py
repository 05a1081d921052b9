"""What members try with objects that are not theirs, or that open their workspace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.cluster.escape.cases import ESCALATION, Case, policy
from tests.cluster.escape.requests import (
    APPLY,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Request,
    create,
    delete,
    get,
    patch,
)

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_OWN = "/apis/headgate.dev/v1alpha1"
_NET = "/apis/networking.k8s.io/v1"
_CORE = "/api/v1"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def core(kind: str, name: str = "", namespace: str = "{ns}") -> str:
    """The path of an object of the core group, or of the collection."""
    return f"{_CORE}/namespaces/{namespace}/{kind}" + (f"/{name}" if name else "")


def own(kind: str, name: str = "", namespace: str = "{ns}") -> str:
    """The path of an object of Headgate's, or of the collection."""
    return f"{_OWN}/namespaces/{namespace}/{kind}" + (f"/{name}" if name else "")


def _object(version: str, kind: str, name: str = "try", **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, **fields.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def config_map(**metadata: Any) -> dict[str, Any]:
    """A ConfigMap."""
    return _object("v1", "ConfigMap", metadata=metadata)


MAKE_CONFIG_MAP = create(core("configmaps"), config_map())
READ_CONFIG_MAP = get(core("configmaps", "prop"))


def cannot(verb: str, resource: str) -> str:
    """What a denial by RBAC says."""
    return f'cannot {verb} resource "{resource}"'


# Cluster-scoped kinds -------------------------------------------------------------------------------------------------

_NS = _object("v1", "Namespace", "escape-try")
_CLUSTER: dict[str, tuple[str, dict[str, Any]]] = {
    "namespaces": (_CORE, _NS),
    "persistentvolumes": (
        _CORE,
        _object(
            "v1",
            "PersistentVolume",
            spec={"capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/"}},
        ),
    ),
    "clusterroles": (_RBAC, _object("rbac.authorization.k8s.io/v1", "ClusterRole", rules=[])),
    "clusterrolebindings": (
        _RBAC,
        _object(
            "rbac.authorization.k8s.io/v1",
            "ClusterRoleBinding",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            subjects=[{"kind": "ServiceAccount", "name": "owner", "namespace": "{people}"}],
        ),
    ),
    "storageclasses": (
        "/apis/storage.k8s.io/v1",
        _object("storage.k8s.io/v1", "StorageClass", provisioner="example.com/x"),
    ),
    "priorityclasses": (
        "/apis/scheduling.k8s.io/v1",
        _object("scheduling.k8s.io/v1", "PriorityClass", value=1000000),
    ),
    "runtimeclasses": ("/apis/node.k8s.io/v1", _object("node.k8s.io/v1", "RuntimeClass", handler="x")),
    "ingressclasses": (_NET, _object("networking.k8s.io/v1", "IngressClass", spec={"controller": "example.com/x"})),
    "validatingwebhookconfigurations": (
        _ADMISSION,
        _object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", webhooks=[]),
    ),
    "mutatingwebhookconfigurations": (
        _ADMISSION,
        _object("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", webhooks=[]),
    ),
    "validatingadmissionpolicybindings": (
        _ADMISSION,
        _object(
            "admissionregistration.k8s.io/v1",
            "ValidatingAdmissionPolicyBinding",
            spec={"policyName": "headgate-managed", "validationActions": ["Audit"]},
        ),
    ),
    "workspaces": (_OWN, _object("headgate.dev/v1alpha1", "Workspace", spec={"quotaRef": {"name": "{quota}"}})),
    "quotas": (_OWN, _object("headgate.dev/v1alpha1", "Quota", spec={"limits": {}})),
}


def cluster_scoped() -> Iterator[Case]:
    """Members make, change and delete nothing that belongs to the cluster."""
    for resource, (group, body) in _CLUSTER.items():
        where = f"{group}/{resource}"
        yield Case(
            f"create-{resource}", create(where, body), cannot("create", resource), create(where, body), "owner", "admin"
        )
        yield Case(f"list-{resource}", get(where), cannot("list", resource), get(where), "owner", "admin")
    existing = {
        "clusterroles": f"{_RBAC}/clusterroles/headgate-owner",
        "clusterrolebindings": f"{_RBAC}/clusterrolebindings/cluster-admin",
        "validatingadmissionpolicies": f"{_ADMISSION}/validatingadmissionpolicies/headgate-managed",
        "validatingadmissionpolicybindings": f"{_ADMISSION}/validatingadmissionpolicybindings/headgate-managed",
        "customresourcedefinitions": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/workspaces.headgate.dev",
        "quotas": f"{_OWN}/quotas/{{quota}}",
        "workspaces": f"{_OWN}/workspaces/{{ws}}",
        "priorityclasses": "/apis/scheduling.k8s.io/v1/priorityclasses/{priority}",
        "runtimeclasses": "/apis/node.k8s.io/v1/runtimeclasses/{runtime}",
    }
    label = {"metadata": {"annotations": {"x": "y"}}}
    for resource, where in existing.items():
        yield Case(
            f"patch-{resource}", patch(where, label), cannot("patch", resource), patch(where, label), "owner", "admin"
        )
        yield Case(f"delete-{resource}", delete(where), cannot("delete", resource), delete(where), "owner", "admin")
    for resource in ("nodes", "customresourcedefinitions", "certificatesigningrequests"):
        group = {
            "nodes": _CORE,
            "customresourcedefinitions": "/apis/apiextensions.k8s.io/v1",
            "certificatesigningrequests": "/apis/certificates.k8s.io/v1",
        }[resource]
        where = f"{group}/{resource}"
        yield Case(f"list-{resource}", get(where), cannot("list", resource), get(where), "owner", "admin")
    status = patch(f"{_OWN}/workspaces/{{ws}}/status", {"status": {"activeRuns": 0}})
    yield Case("workspace-status", status, cannot("patch", "workspaces/status"), status, "owner", "admin")


# Other tenants --------------------------------------------------------------------------------------------------------

_KINDS = {
    "configmaps": _CORE,
    "secrets": _CORE,
    "services": _CORE,
    "pods": _CORE,
    "resourcequotas": _CORE,
    "networkpolicies": _NET,
    "rolebindings": _RBAC,
    "workflows": _OWN,
    "workflowruns": _OWN,
    "deployments": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
}
_READABLE = {"resourcequotas": "headgate", "networkpolicies": "headgate-default-deny", "rolebindings": "headgate-owner"}


def neighbours() -> Iterator[Case]:
    """Nothing of another workspace is read or written, by any verb; of the own one it may be."""
    for resource, group in _KINDS.items():
        theirs = f"{group}/namespaces/{{victim}}/{resource}"
        mine = f"{group}/namespaces/{{ns}}/{resource}"
        yield Case(f"list-{resource}", get(theirs), cannot("list", resource), get(mine))
        yield Case(f"watch-all-{resource}", get(f"{group}/{resource}"), cannot("list", resource), get(mine))
    for resource, group in (("configmaps", _CORE), ("secrets", _CORE), ("services", _CORE), ("workflows", _OWN)):
        theirs = f"{group}/namespaces/{{victim}}/{resource}"
        mine = f"{group}/namespaces/{{ns}}/{resource}"
        label = {"metadata": {"labels": {"x": "y"}}}
        yield Case(f"get-{resource}", get(f"{theirs}/prop"), cannot("get", resource), get(f"{mine}/prop"))
        yield Case(
            f"patch-{resource}", patch(f"{theirs}/prop", label), cannot("patch", resource), patch(f"{mine}/prop", label)
        )
        yield Case(f"delete-{resource}", delete(f"{theirs}/prop"), cannot("delete", resource), delete(f"{mine}/prop"))
        yield Case(
            f"deletecollection-{resource}",
            delete(f"{theirs}?labelSelector=none"),
            cannot("deletecollection", resource),
            delete(f"{mine}?labelSelector=none"),
        )
        wanted = {"x": "y"} if resource != "workflows" else {}
        body = _object("v1", "ConfigMap", data=wanted) if resource == "configmaps" else None
        if body is not None:
            yield Case(f"create-{resource}", create(theirs, body), cannot("create", resource), create(mine, body))
    exec_ = "/api/v1/namespaces/{victim}/pods/prop/exec?command=id"
    yield Case("exec", Request("POST", exec_), cannot("create", "pods/exec"), READ_CONFIG_MAP)
    yield Case(
        "log", get("/api/v1/namespaces/{victim}/pods/prop/log"), cannot("get", "pods/log"), get(core("pods", "prop"))
    )
    for who in ("editor", "viewer"):
        yield Case(f"{who}-secrets", get(core("secrets")), cannot("list", "secrets"), READ_CONFIG_MAP, who)
        pods = core("pods")
        body = _object("v1", "Pod", spec={"containers": [{"name": "x", "image": "x"}]})
        yield Case(f"{who}-pods", create(pods, body), cannot("create", "pods"), get(pods), who)
    yield Case("viewer-writes", MAKE_CONFIG_MAP, cannot("create", "configmaps"), MAKE_CONFIG_MAP, "viewer", "editor")
    yield Case("outsider", READ_CONFIG_MAP, cannot("get", "configmaps"), READ_CONFIG_MAP, "outsider", "viewer")


# Identity -------------------------------------------------------------------------------------------------------------


def _token(name: str, namespace: str = "{ns}") -> Request:
    body = _object("authentication.k8s.io/v1", "TokenRequest", name, spec={"expirationSeconds": 600})
    return create(core("serviceaccounts", f"{name}/token", namespace), body)


def _as(user: str, group: str = "") -> Request:
    headers = {"Impersonate-User": user, **({"Impersonate-Group": group} if group else {})}
    return Request("GET", core("configmaps", "prop"), headers=headers)


def identities() -> Iterator[Case]:
    """Nobody gets to be somebody else."""
    for name in ("default", "headgate-run"):
        yield Case(f"token-{name}", _token(name), cannot("create", "serviceaccounts/token"), READ_CONFIG_MAP)
    yield Case("token-run-broad", _token("headgate-run"), policy("managed"), _token("default"), "broad")
    yield Case(
        "token-victim", _token("default", "{victim}"), cannot("create", "serviceaccounts/token"), READ_CONFIG_MAP
    )
    yield Case(
        "token-operator",
        _token("headgate", "{system}"),
        cannot("create", "serviceaccounts/token"),
        READ_CONFIG_MAP,
        "broad",
    )
    users = ("system:admin", "system:kube-controller-manager", "system:apiserver")
    accounts = ("system:serviceaccount:{people}:neighbour", "system:serviceaccount:kube-system:default")
    for user in (*users, *accounts):
        yield Case(f"impersonate-{user}", _as(user), "cannot impersonate", READ_CONFIG_MAP)
    for group in ("system:masters", "system:nodes", "system:serviceaccounts:kube-system"):
        yield Case(f"impersonate-{group}", _as("x", group), "cannot impersonate", READ_CONFIG_MAP)

    def secret(account: str) -> Request:
        annotations = {"kubernetes.io/service-account.name": account}
        body = _object(
            "v1", "Secret", type="kubernetes.io/service-account-token", metadata={"annotations": annotations}
        )
        return create(core("secrets"), body)

    yield Case("token-by-secret", secret("headgate-run"), policy("managed"), secret("default"))
    node = get("/api/v1/nodes/x/proxy/pods")
    yield Case("node-proxy", node, cannot("get", "nodes/proxy"), READ_CONFIG_MAP)
    for verb in ("services", "pods"):
        yield Case(
            f"{verb}-proxy",
            get(f"/api/v1/namespaces/{{ns}}/{verb}/prop/proxy/"),
            cannot("get", f"{verb}/proxy"),
            READ_CONFIG_MAP,
        )


# Roles ----------------------------------------------------------------------------------------------------------------


def binding(subject: dict[str, str], role: str = "headgate-viewer", kind: str = "ClusterRole") -> Request:
    """A RoleBinding."""
    body = _object(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        subjects=[subject],
    )
    return create(f"{_RBAC}/namespaces/{{ns}}/rolebindings", body)


def machine(namespace: str = "{ns}") -> dict[str, str]:
    """A service account."""
    return {"kind": "ServiceAccount", "name": "default", "namespace": namespace}


def _role(*rules: dict[str, Any], name: str = "try") -> Request:
    body = _object("rbac.authorization.k8s.io/v1", "Role", name, rules=list(rules))
    return create(f"{_RBAC}/namespaces/{{ns}}/roles", body)


def _rule(group: str, resource: str, *verbs: str) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


def roles() -> Iterator[Case]:
    """Owners give what they have, and only to machines of their workspace."""
    api = "rbac.authorization.k8s.io"
    fine = binding(machine())
    for name, subject in {
        "user": {"apiGroup": api, "kind": "User", "name": "eve"},
        "group": {"apiGroup": api, "kind": "Group", "name": "everyone"},
        "authenticated": {"apiGroup": api, "kind": "Group", "name": "system:authenticated"},
        "all-accounts": {"apiGroup": api, "kind": "Group", "name": "system:serviceaccounts"},
        "account-as-user": {"apiGroup": api, "kind": "User", "name": "system:serviceaccount:{victim}:default"},
        "foreign-account": machine("{victim}"),
        "account-of-the-system": machine("kube-system"),
        "account-of-people": {"kind": "ServiceAccount", "name": "outsider", "namespace": "{people}"},
    }.items():
        yield Case(f"bind-{name}", binding(subject), policy("rolebindings"), fine)
        yield Case(f"bind-{name}-broad", binding(subject), policy("rolebindings"), fine, "broad")
    for role in ("cluster-admin", "admin", "edit", "system:node"):
        yield Case(f"bind-{role}", binding(machine(), role), ESCALATION, binding(machine("{second}")))
    for name, rule in {
        "everything": _rule("*", "*", "*"),
        "quotas": _rule("", "resourcequotas", "update"),
        "tokens": _rule("", "serviceaccounts/token", "create"),
        "status": _rule("headgate.dev", "workflows/status", "patch"),
        "impersonate": _rule("", "serviceaccounts", "impersonate"),
        "escalate": _rule(api, "roles", "escalate"),
        "bind": _rule(api, "roles", "bind"),
        "endpoints": _rule("", "endpoints", "update"),
    }.items():
        yield Case(f"role-{name}", _role(rule), ESCALATION, _role(_rule("", "configmaps", "get")))
    yield Case(
        "role-named-as-headgate-s",
        _role(_rule("", "configmaps", "get"), name="headgate-x"),
        policy("managed"),
        _role(_rule("", "configmaps", "get"), name="x"),
    )
    for resource in ("endpoints", "endpointslices"):
        group = _CORE if resource == "endpoints" else "/apis/discovery.k8s.io/v1"
        version = "v1" if resource == "endpoints" else "discovery.k8s.io/v1"
        body = _object(version, "Endpoints" if resource == "endpoints" else "EndpointSlice")
        body |= {"subsets": []} if resource == "endpoints" else {"addressType": "IPv4", "endpoints": []}
        where = create(f"{group}/namespaces/{{ns}}/{resource}", body)
        yield Case(f"create-{resource}", where, cannot("create", resource), where, "owner", "admin")


# What Headgate manages ------------------------------------------------------------------------------------------------

_MANAGED = {
    "networkpolicies": (_NET, "headgate-default-deny"),
    "resourcequotas": (_CORE, "headgate"),
    "rolebindings": (_RBAC, "headgate-owner"),
    "serviceaccounts": (_CORE, "headgate-run"),
}


def managed() -> Iterator[Case]:
    """What Headgate put there stays as it is, also where RBAC would let it be changed."""
    change = {"metadata": {"annotations": {"x": "y"}}}
    unlabel = {"metadata": {"labels": {"headgate.dev/workspace": None, "app.kubernetes.io/managed-by": None}}}
    for resource, (group, name) in _MANAGED.items():
        where = f"{group}/namespaces/{{ns}}/{resource}/{name}"
        by = policy("managed") + "|" + policy("limits")
        for who in ("owner", "broad") if resource in ("networkpolicies", "rolebindings") else ("broad",):
            for verb, attempt in {
                "patch": patch(where, change),
                "unlabel": patch(where, unlabel),
                "json-patch": patch(where, [{"op": "remove", "path": "/metadata/labels"}], JSON_PATCH),
                "delete": delete(where),
                "deletecollection": delete(
                    f"{group}/namespaces/{{ns}}/{resource}?labelSelector=headgate.dev/workspace"
                ),
            }.items():
                yield Case(f"{who}-{verb}-{resource}", attempt, by, MAKE_CONFIG_MAP, who)
        if resource not in ("networkpolicies", "rolebindings"):
            yield Case(f"owner-patch-{resource}", patch(where, change), cannot("patch", resource), READ_CONFIG_MAP)
            yield Case(f"owner-delete-{resource}", delete(where), cannot("delete", resource), READ_CONFIG_MAP)
    quota = create(core("resourcequotas"), _object("v1", "ResourceQuota", spec={"hard": {"pods": "1000"}}))
    limits = create(core("limitranges"), _object("v1", "LimitRange", spec={"limits": []}))
    for name, attempt, resource in (("quota", quota, "resourcequotas"), ("limits", limits, "limitranges")):
        yield Case(f"create-{name}", attempt, cannot("create", resource), MAKE_CONFIG_MAP)
        yield Case(f"create-{name}-broad", attempt, policy("limits"), MAKE_CONFIG_MAP, "broad")
    used = patch(core("resourcequotas", "headgate/status"), {"status": {"used": {"pods": "0"}}})
    yield Case("quota-status", used, policy("managed") + "|" + policy("limits"), MAKE_CONFIG_MAP, "broad")


def forged() -> Iterator[Case]:
    """Nothing of a tenant comes to look like Headgate's."""
    for key, value in {
        "headgate.dev/workspace": "{ws}",
        "headgate.dev/run": "x",
        "headgate.dev/anything": "x",
        "app.kubernetes.io/managed-by": "headgate",
    }.items():
        name = key.rpartition("/")[2]
        labels = {key: value}
        yield Case(
            f"create-{name}",
            create(core("configmaps"), config_map(labels=labels)),
            policy("managed"),
            create(core("configmaps"), config_map(labels={"app.kubernetes.io/managed-by": "helm"})),
        )
        where = core("configmaps", "prop")
        for kind, content in (("merge", MERGE), ("strategic", STRATEGIC)):
            body = {"metadata": {"labels": labels}}
            fine = patch(where, {"metadata": {"labels": {"x": "y"}}}, content)
            yield Case(f"{kind}-{name}", patch(where, body, content), policy("managed"), fine)
        applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prop", "labels": labels}}
        harmless = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prop", "labels": {"x": "y"}}}
        yield Case(f"apply-{name}", patch(where, applied, APPLY), policy("managed"), patch(where, harmless, APPLY))
        body = {"metadata": {"labels": labels}}
        workflow = own("workflows", "prop")
        fine = patch(workflow, {"metadata": {"labels": {"x": "y"}}})
        yield Case(f"workflow-{name}", patch(workflow, body), policy("managed"), fine, "editor")
    for who in ("owner", "editor", "broad"):
        status = patch(own("workflows", "prop/status"), {"status": {"observedGeneration": 7}})
        by = policy("resources") if who == "broad" else cannot("patch", "workflows/status")
        fine = patch(own("workflows", "prop"), {"metadata": {"annotations": {"x": "y"}}})
        yield Case(f"{who}-status", status, by, fine, who)
        finalizers = patch(own("workflows", "prop"), {"metadata": {"finalizers": ["headgate.dev/x"]}})
        other = patch(own("workflows", "prop"), {"metadata": {"finalizers": ["example.com/x"]}})
        yield Case(f"{who}-finalizers", finalizers, policy("resources"), other, who)


# Network, services, storage -------------------------------------------------------------------------------------------


def _policy(**spec: Any) -> Request:
    body = _object("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, **spec})
    return create(f"{_NET}/namespaces/{{ns}}/networkpolicies", body)


_MINE = {"matchLabels": {"headgate.dev/workspace": "{ws}"}}
_INSIDE = _policy(
    ingress=[{"from": [{"podSelector": {}}]}], egress=[{"to": [{"namespaceSelector": _MINE, "podSelector": {}}]}]
)
_PEERS: dict[str, Any] = {
    "block": {"ipBlock": {"cidr": "0.0.0.0/0"}},
    "metadata": {"ipBlock": {"cidr": "169.254.169.254/32"}},
    "block-but": {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
    "every-namespace": {"namespaceSelector": {}},
    "victim": {"namespaceSelector": {"matchLabels": {"headgate.dev/workspace": "{victim}"}}},
    "victim-by-name": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "{victim}"}}},
    "kube-system": {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {},
    },
    "expression": {
        "namespaceSelector": {
            "matchExpressions": [{"key": "headgate.dev/workspace", "operator": "In", "values": ["{ws}", "{victim}"]}]
        }
    },
    "exists": {"namespaceSelector": {"matchExpressions": [{"key": "headgate.dev/workspace", "operator": "Exists"}]}},
}


def network() -> Iterator[Case]:
    """NetworkPolicies open nothing but the own workspace."""
    by = policy("networkpolicies")
    for name, peer in _PEERS.items():
        yield Case(f"egress-{name}", _policy(egress=[{"to": [peer]}]), by, _INSIDE)
        yield Case(f"ingress-{name}", _policy(ingress=[{"from": [peer]}]), by, _INSIDE)
        beside: dict[str, Any] = {"podSelector": {}}
        yield Case(f"beside-{name}", _policy(egress=[{"to": [beside]}, {"to": [beside, peer]}]), by, _INSIDE)
    yield Case("egress-everything", _policy(egress=[{}]), by, _policy(policyTypes=["Egress"]))
    yield Case("ingress-everything", _policy(ingress=[{}]), by, _policy(policyTypes=["Ingress"]))
    yield Case("egress-empty-peers", _policy(egress=[{"to": []}]), by, _INSIDE)
    yield Case("ingress-any-port", _policy(ingress=[{"ports": [{"port": 80}]}]), by, _INSIDE)


def _service(**spec: Any) -> Request:
    return create(core("services"), _object("v1", "Service", spec={"ports": [{"port": 80}], **spec}))


def ingress(name: str | None, namespace: str = "{ns}", **annotations: str) -> Request:
    """An Ingress of that class."""
    spec: dict[str, Any] = {"defaultBackend": {"service": {"name": "x", "port": {"number": 80}}}}
    if name is not None:
        spec["ingressClassName"] = name
    metadata = {"annotations": annotations} if annotations else {}
    body = _object("networking.k8s.io/v1", "Ingress", metadata=metadata, spec=spec)
    return create(f"{_NET}/namespaces/{namespace}/ingresses", body)


def claim(name: str | None, namespace: str = "{ns}") -> Request:
    """A claim of that class."""
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    if name is not None:
        spec["storageClassName"] = name
    return create(
        core("persistentvolumeclaims", namespace=namespace), _object("v1", "PersistentVolumeClaim", spec=spec)
    )


def exposure() -> Iterator[Case]:
    """Services, Ingresses and claims keep to what the workspace allows."""
    yield Case("external-ips", _service(externalIPs=["10.96.0.1"]), policy("exposure"), _service())
    where = core("services", "prop")
    yield Case(
        "external-ips-later",
        patch(where, {"spec": {"externalIPs": ["1.2.3.4"]}}),
        policy("exposure"),
        patch(where, {"metadata": {"labels": {"x": "y"}}}),
    )
    yield Case("load-balancer", _service(type="LoadBalancer"), "exceeded quota", _service())
    yield Case("node-port", _service(type="NodePort"), "exceeded quota", _service())
    yield Case("ingress-class", ingress("outside"), policy("exposure"), ingress("inside"))
    annotation = {"kubernetes.io/ingress.class": "outside"}
    yield Case("ingress-annotation", ingress(None, **annotation), policy("exposure"), ingress("inside"))
    yield Case("storage-class", claim("slow"), policy("storage"), claim("fast"))
    yield Case("storage-class-empty", claim(""), policy("storage"), claim("fast"))


# Decisions on approvals -----------------------------------------------------------------------------------------------

OWNER = "system:serviceaccount:{people}:owner"
EDITOR = "system:serviceaccount:{people}:editor"


def decided(*by: str, approved: bool = True) -> dict[str, Any]:
    """What makes a WorkflowRun's approval decided by these."""
    return {"spec": {"approvals": [{"node": "ask", "approved": approved, "by": name} for name in by]}}


def a_run(name: str, *by: str) -> dict[str, Any]:
    """A WorkflowRun that these decide on from the beginning."""
    spec = {"workflowRef": {"name": "prop"}, "suspend": True, **decided(*by)["spec"]}
    return _object("headgate.dev/v1alpha1", "WorkflowRun", name, spec=spec)


def decisions() -> Iterator[Case]:
    """Approving in somebody else's name."""
    prop = own("workflowruns", "prop")
    in_own_name = patch(prop, decided(OWNER))
    tries = {
        "in-another-s-name": patch(prop, decided(EDITOR)),
        "in-two-names": patch(prop, decided(OWNER, EDITOR)),
        "from-the-beginning": create(own("workflowruns"), a_run("try", EDITOR)),
        "as-the-operator": patch(prop, decided("system:serviceaccount:{system}:headgate-operator")),
        "in-a-list": patch(
            prop, [{"op": "add", "path": "/spec/approvals", "value": decided(EDITOR)["spec"]["approvals"]}], JSON_PATCH
        ),
    }
    for name, attempt in tries.items():
        yield Case(f"decision-{name}", attempt, policy("decisions"), in_own_name)
    yield Case(
        "decision-made-by-the-owner-from-the-beginning",
        create(own("workflowruns"), a_run("try", OWNER)),
        policy("decisions"),
        create(own("workflowruns"), a_run("try", EDITOR)),
        who="editor",
    )
