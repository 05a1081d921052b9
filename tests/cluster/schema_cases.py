"""Objects that the API server must refuse, each one change away from one that it admits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.builders import Builder, a_quota, a_run, a_workflow, a_workspace, container

QUOTA = WORKSPACE = "schema-check"
"""Names of cluster-scoped objects, so that nothing of another test is in the way."""
A_KEY = {"secretKeyRef": {"name": "s", "key": "k"}}
EVERY_HOUR = {"schedule": {"cron": "0 * * * *"}}

GOOD_QUOTA = (
    a_quota(QUOTA)
    .with_limits(maxWorkflows=5)
    .with_compute(requests__cpu=4, limits__memory="8Gi", pods="20")
    .with_container_defaults(
        min={"cpu": "50m"}, defaultRequest={"cpu": "100m"}, default={"cpu": "200m"}, max={"cpu": "2"}
    )
)
GOOD_WORKSPACE = (
    a_workspace(WORKSPACE)
    .with_namespace("acme-dev", share=30)
    .with_namespace("acme-prod", share=70)
    .with_member("owner")
    .with_member("editor", "Group", "data")
    .with_member("viewer", "ServiceAccount", "reporter", "acme-prod")
    .with_egress("203.0.113.0/24", {"port": 443, "endPort": 444})
    .with_ingress("2001:db8::/32")
)
GOOD_WORKFLOW = (
    a_workflow()
    .with_schedule("hourly", "0 * * * *", timeZone="Europe/Berlin")
    .with_input("since", default="today", required=True)
    .with_node(
        "load",
        container(
            env=[
                {"name": "EMPTY", "value": ""},
                {"name": "KEY", "valueFrom": A_KEY},
            ],
            mounts=[{"path": "/etc/data", "configMap": "orders"}, {"path": "/etc/keys", "secret": "keys"}],
            resources={"requests": {"cpu": 1}, "limits": {"cpu": "2", "memory": "1Gi"}},
        ),
        after=["by-hand", "hourly"],
        timeout="5m",
        retry={"limit": 2, "initialDelay": "0s"},
    )
    .with_condition("enough", "nodes.load.output.rows > 0", after=["load"])
    .with_node("report", after=["enough"])
    .with_node("complain", after=["enough:false"])
)
A_WEBHOOK = {
    "hook": "orders",
    "secrets": [{"name": "shop", "key": "current"}, {"name": "shop", "key": "previous"}],
    "events": ["order.paid"],
    "when": "trigger.body.total > 0",
    "inputs": {"since": "${{ trigger.body.day }}"},
}
GOOD_RUN = a_run().with_inputs(since="2024-01-01", nothing=None, nested={"a": [1, {"b": None}]})

HOURLY, LOAD, ENOUGH, COMPLAIN = (f"spec.nodes.{position}" for position in (1, 2, 3, 5))
CONTAINER = f"{LOAD}.config.container"
SECRET_KEY = {"name": "api", "key": "token"}


@dataclass(frozen=True)
class Bad:
    """An object that is refused, and words of the message that say why."""

    name: str
    object: Builder[Any]
    says: str


def _quota() -> Iterator[Bad]:
    for name, path, value, says in (
        ("a limit below zero", "limits.maxWorkflows", -1, "greater than or equal to 0"),
        ("a limit that is no number", "limits.maxWorkflows", "many", "must be of type integer"),
        ("an amount that is misspelt", "compute", {"requests.cpuu": "1"}, "a ResourceQuota has no requests.cpuu; use"),
        ("an extended amount not requested", "compute", {"example.com/gpu": "1"}, "has no example.com/gpu"),
        ("a negative amount", "compute", {"pods": "-1"}, "write pods as an amount of zero or more"),
        ("a negative number", "compute", {"pods": -1}, "write pods as an amount of zero or more"),
        ("an amount with a wrong unit", "compute", {"limits.memory": "8 GB"}, "should match"),
        ("half a pod", "compute", {"pods": "1500m"}, "write a whole number for pods"),
        (
            "workflows counted twice",
            "compute",
            {"count/workflows.headgate.dev": "9"},
            "set limits.maxWorkflows instead",
        ),
        ("too many amounts", "compute", {f"count/a{i}": 1 for i in range(65)}, "at most 64"),
        ("a default for pods", "containerDefaults.default", {"pods": "1"}, "a container has no pods; use cpu"),
        ("a negative default", "containerDefaults.default", {"cpu": "-1"}, "write cpu as an amount of zero or more"),
        ("min above defaultRequest", "containerDefaults.min", {"cpu": "150m"}, "lower min or raise defaultRequest"),
        ("min above default", "containerDefaults.min", {"cpu": 1}, "lower min or raise default:"),
        ("min above max", "containerDefaults.min", {"cpu": 3}, "lower min or raise max"),
        ("request above limit", "containerDefaults.default", {"cpu": "60m"}, "lower defaultRequest or raise default"),
        ("default above max", "containerDefaults.default", {"cpu": "2100m"}, "lower default or raise max"),
        ("defaultRequest above max", "containerDefaults.max", {"cpu": "90m"}, "lower defaultRequest or raise max"),
    ):
        yield Bad(name, GOOD_QUOTA.with_value(f"spec.{path}", value), says)
    memory = a_quota(QUOTA).with_container_defaults(default={"memory": "1Mi"}, defaultRequest={"memory": "2Mi"})
    yield Bad("memory out of order", memory, "lower defaultRequest or raise default")
    yield Bad("an unknown field", GOOD_QUOTA.with_value("spec.limit", {}), 'unknown field "spec.limit"')


def _workspace() -> Iterator[Bad]:
    bare = a_workspace(WORKSPACE)
    yield Bad("no plan", bare.without("spec.quotaRef"), "spec.quotaRef: Required value")
    yield Bad("a plan without name", bare.with_quota(""), "spec.quotaRef.name")
    yield Bad("a name for a plan that cannot be", bare.with_quota("Team"), "use lower-case letters")
    for name in ("default", "headgate", "kube-system", "headgate-system"):
        yield Bad(f"namespace {name}", bare.with_namespace(name), "use another name: default, headgate, kube-...")
        named = bare.with_metadata(name=name)
        yield Bad(f"own namespace {name}", named, "spec.namespaces is empty: use another name")
    yield Bad("an own namespace with a dot", bare.with_metadata(name="a.b"), "spec.namespaces is empty: use lower-case")
    yield Bad(
        "a long name",
        bare.with_metadata(name="a" * 64).with_namespace("a"),
        "metadata.name: Invalid value: shorten it to 63",
    )
    yield Bad("a namespace in capitals", bare.with_namespace("Acme"), "use lower-case letters, digits and '-' only")
    yield Bad("a namespace twice", bare.with_namespace("a").with_namespace("a"), "Duplicate value")
    yield Bad("a share of nothing", bare.with_namespace("a", 0), "greater than or equal to 1")
    yield Bad("a share of more than all", bare.with_namespace("a", 101), "less than or equal to 100")
    yield Bad(
        "shares beyond all", bare.with_namespace("a", 60).with_namespace("b", 50), "lower the shares: together they"
    )
    yield Bad("nothing left", bare.with_namespace("a", 100).with_namespace("b"), "one percent at least left for every")
    yield Bad(
        "shares below all", bare.with_namespace("a", 60).with_namespace("b", 30), "raise the shares to 100 percent"
    )
    yield Bad("an unknown role", bare.with_member("admin"), 'supported values: "owner", "editor", "viewer"')
    yield Bad("an unknown kind of member", bare.with_member(kind="Robot"), 'supported values: "User", "Group"')
    yield Bad("a member without name", bare.with_member(name=""), "should be at least 1 chars long")
    yield Bad("a service account of nowhere", bare.with_member(kind="ServiceAccount"), "set the namespace of the")
    yield Bad("a user in a namespace", bare.with_member(namespace="acme"), "only a ServiceAccount is in one")
    full = "system:serviceaccount:acme:reporter"
    yield Bad(
        "a service account by its full name",
        bare.with_member(kind="ServiceAccount", name=full, namespace="acme"),
        "write the name of the ServiceAccount alone",
    )
    for user in ("system:admin", "system:kube-controller-manager", full):
        yield Bad(f"user {user}", bare.with_member(name=user), "users that start with system: belong to the cluster")
    for group in ("system:masters", "system:authenticated", "system:unauthenticated", "system:serviceaccounts"):
        yield Bad(f"group {group}", bare.with_member(kind="Group", name=group), "groups that start with system:")
    yield Bad("a destination that is no range", bare.with_egress("example.com"), "write a range of addresses such as")
    yield Bad("an address without prefix", bare.with_egress("203.0.113.7"), "write a range of addresses such as")
    yield Bad("a range by a later address", bare.with_ingress("203.0.113.7/24"), "write the range by its first address")
    for address in ("169.254.169.254/32", "169.254.169.0/24", "fd00:ec2::254/128", "100.100.100.200/32"):
        yield Bad(f"metadata at {address}", bare.with_egress(address), "remove the link-local or cloud metadata")
    yield Bad("a destination of no kind", bare.with_peer("egress"), "set exactly one of cidr, namespace or internet")
    yield Bad(
        "a destination of two kinds",
        bare.with_peer("egress", cidr="203.0.113.0/24", internet=True),
        "set exactly one of cidr, namespace or internet",
    )
    yield Bad("a source of no kind", bare.with_peer("ingress"), "set exactly one of cidr or namespace")
    yield Bad("no internet", bare.with_peer("egress", internet=False), "remove the rule instead of setting internet")
    for direction in ("egress", "ingress"):
        foreign = bare.with_peer(direction, namespace="globex")
        yield Bad(f"{direction} of another's namespace", foreign, "name the Workspace itself, which is its one")
        yield Bad(
            f"{direction} of a namespace that is not listed",
            foreign.with_namespace("acme-dev"),
            "name a namespace that spec.namespaces lists",
        )
        yield Bad(
            f"{direction} of the name of a Workspace with other namespaces",
            bare.with_namespace("acme-dev").with_peer(direction, namespace=WORKSPACE),
            "name a namespace that spec.namespaces lists",
        )
    yield Bad("IPv4 written as IPv6", bare.with_egress("::ffff:203.0.113.0/120"), "write a range of addresses such as")
    yield Bad("a range of ports backwards", bare.with_egress("10.0.0.0/8", {"port": 9, "endPort": 8}), "raise endPort")
    yield Bad("port zero", bare.with_egress("10.0.0.0/8", {"port": 0}), "greater than or equal to 1")
    yield Bad("a port too high", bare.with_egress("10.0.0.0/8", {"port": 65536}), "less than or equal to 65535")
    yield Bad(
        "an unknown protocol", bare.with_egress("10.0.0.0/8", {"port": 1, "protocol": "ICMP"}), "supported values"
    )
    yield Bad("an unknown security level", bare.with_spec(podSecurity="privileged"), '"restricted", "baseline"')
    yield Bad("an unknown deletion policy", bare.with_spec(deletionPolicy="Orphan"), '"Retain", "Delete"')


def _graph() -> Iterator[Bad]:
    good = GOOD_WORKFLOW
    yield Bad("no nodes", good.with_spec(nodes=[]), "should have at least 1 items")
    many = [{"id": f"t{i}", "type": "trigger", "config": {"manual": {}}} for i in range(101)]
    yield Bad("too many nodes", good.with_spec(nodes=many), "must have at most 100 items")
    yield Bad("a long name", good.with_metadata(name="a" * 64), "metadata.name: Invalid value: shorten it to 63")
    yield Bad("an id twice", good.with_value(f"{COMPLAIN}.id", "report"), "Duplicate value")
    yield Bad("an id in capitals", good.with_value(f"{COMPLAIN}.id", "Complain"), "use lower-case letters, digits")
    yield Bad(
        "no trigger", a_workflow().with_spec(nodes=[good.manifest()["spec"]["nodes"][3]]), "of type trigger, such"
    )
    later = good.with_value(f"{LOAD}.dependsOn.+", "report")
    yield Bad("a node before its dependency", later, "node load depends on report: list a node of that id before it")
    own = good.with_value(f"{LOAD}.dependsOn", ["load"])
    yield Bad("a node after itself", own, "node load depends on load: list a node of that id before it")
    unknown = good.with_value(f"{COMPLAIN}.dependsOn", ["enough", "nobody:true"])
    yield Bad("an unknown dependency", unknown, "node complain depends on nobody:true: list a node of that id")
    branch = good.with_value(f"{COMPLAIN}.dependsOn", ["enough", "load:false"])
    yield Bad("a branch of an action", branch, "node complain depends on load:false: only a node of type condition")
    of_trigger = good.with_value(f"{LOAD}.dependsOn", ["hourly:true"])
    yield Bad("a branch of a trigger", of_trigger, "node load depends on hourly:true: only a node of type condition")
    yield Bad("a dependency twice", good.with_value(f"{LOAD}.dependsOn", ["hourly", "hourly"]), "Duplicate value")
    both = good.with_value(f"{COMPLAIN}.dependsOn", ["enough", "enough:false"])
    yield Bad("two branches at once", both, "a node that depends on two branches of a condition would never run")
    yield Bad(
        "a dependency of no form", good.with_value(f"{LOAD}.dependsOn", ["a b"]), "write the id of a node, or <id>"
    )
    yield Bad("a trigger after another", good.with_value(f"{HOURLY}.dependsOn", ["by-hand"]), "remove dependsOn: a")
    yield Bad("an action after nothing", good.without(f"{LOAD}.dependsOn"), "name the nodes that come before in")
    yield Bad(
        "a condition after nothing", good.with_value(f"{ENOUGH}.dependsOn", []), "name the nodes that come before"
    )
    required = good.with_input("rows", required=True)
    yield Bad("a schedule that lacks an input", required, "give every required input a default: a schedule or")
    yield Bad("an input twice", good.with_input("since"), "Duplicate value")
    yield Bad("an input of no form", good.with_input("since-when"), "use letters, digits and '_' only in the name")
    yield Bad("no time for a run", good.with_spec(timeout="0s"), "write a duration that is longer than zero")


def _node() -> Iterator[Bad]:
    good = GOOD_WORKFLOW
    for name, path, value, says in (
        ("an unknown type", f"{LOAD}.type", "task", 'supported values: "trigger", "action", "condition"'),
        ("no config", f"{LOAD}.config", {}, "set exactly one of schedule, manual, event, webhook, container"),
        ("two configs", f"{HOURLY}.config", {**EVERY_HOUR, "manual": {}}, "set exactly one of schedule, manual"),
        (
            "a trigger that acts",
            f"{HOURLY}.config",
            container(),
            "set config.schedule, manual, event or webhook: the node",
        ),
        ("an action that triggers", f"{LOAD}.config", EVERY_HOUR, "workflow or approval: the node is of type action"),
        ("a condition that acts", f"{ENOUGH}.config", container(), "set config.expression: the node is of type"),
        (
            "an address of no scheme",
            f"{LOAD}.config",
            {"http": {"url": "ftp://x"}},
            "begin the url with https",
        ),
        (
            "a header with two values",
            f"{LOAD}.config",
            {"http": {"url": "https://x", "headers": [{"name": "A", "value": "", "secretKeyRef": SECRET_KEY}]}},
            "set exactly one of value, secretKeyRef and credentialKeyRef",
        ),
        (
            "a connection twice",
            f"{LOAD}.config",
            {"sql": {"connection": SECRET_KEY, "credential": SECRET_KEY, "query": "SELECT 1"}},
            "set either connection or credential",
        ),
        (
            "no connection",
            f"{LOAD}.config",
            {"sql": {"query": "SELECT 1"}},
            "set either connection or credential",
        ),
        (
            "a script's variable from nowhere",
            f"{LOAD}.config",
            {"script": {"language": "shell", "source": "1", "env": [{"name": "A", "valueFrom": {}}]}},
            "set either secretKeyRef or credentialKeyRef",
        ),
        (
            "a parameter of no form",
            f"{LOAD}.config",
            {"sql": {"connection": SECRET_KEY, "query": "SELECT 1", "parameters": [{"name": "1st", "value": ""}]}},
            "use letters, digits and '_' only in the name of a parameter",
        ),
        ("a language", f"{LOAD}.config", {"script": {"language": "perl", "source": "1"}}, "supported values"),
        ("a condition for each", f"{ENOUGH}.forEach", {"items": "[1]"}, "remove forEach: only actions have one"),
        ("a trigger that is final", f"{HOURLY}.final", True, "remove final: only actions have one"),
        ("an empty expression", f"{ENOUGH}.config.expression", "", "at least 1 chars long"),
        ("a long expression", f"{ENOUGH}.config.expression", "1 + " * 256 + "1", "may not be more than 1024"),
        ("a condition retried", f"{ENOUGH}.retry", {"limit": 1}, "remove retry: only actions have one"),
        ("a trigger with a timeout", f"{HOURLY}.timeout", "5m", "remove timeout: only actions have one"),
        ("no time for an attempt", f"{LOAD}.timeout", "0h0s", "write a duration that is longer than zero"),
        ("a timeout without unit", f"{LOAD}.timeout", "90", "write a duration such as 30s, 5m"),
        ("a timeout of a century", f"{LOAD}.timeout", "36500d", "write a duration such as 30s, 5m"),
        ("a timeout out of order", f"{LOAD}.timeout", "5m1h", "the larger unit first"),
        ("retries without end", f"{LOAD}.retry.limit", 21, "less than or equal to 20"),
        ("a delay that is no duration", f"{LOAD}.retry.maxDelay", "soon", "write a duration such as 30s, 5m"),
        ("four fields of cron", f"{HOURLY}.config.schedule.cron", "0 2 * * ", "write five fields: minute 0-59"),
        ("a nickname for cron", f"{HOURLY}.config.schedule.cron", "@midnight", "write five fields: minute 0-59"),
        ("minute 60", f"{HOURLY}.config.schedule.cron", "60 * * * *", "write five fields: minute 0-59"),
        ("month 13", f"{HOURLY}.config.schedule.cron", "0 0 1 13 *", "write five fields: minute 0-59"),
        ("a zone of no form", f"{HOURLY}.config.schedule.timeZone", "../etc/passwd", "write the name of an IANA time"),
        ("an unknown policy", f"{HOURLY}.config.schedule.missedRuns", "Some", 'supported values: "None", "Latest"'),
        ("a trigger that is no object", f"{HOURLY}.config", {"manual": True}, "must be of type object"),
        (
            "a hook that is no part of a path",
            f"{HOURLY}.config",
            {"webhook": {**A_WEBHOOK, "hook": "a/b"}},
            "use lower-case letters, digits and '-' only",
        ),
        (
            "a webhook that anybody may call",
            f"{HOURLY}.config",
            {"webhook": {**A_WEBHOOK, "secrets": []}},
            "should have at least 1 items",
        ),
        (
            "an unknown format",
            f"{HOURLY}.config",
            {"webhook": {**A_WEBHOOK, "format": "gitlab"}},
            'supported values: "standard", "github"',
        ),
        (
            "an event with a space",
            f"{HOURLY}.config",
            {"webhook": {**A_WEBHOOK, "events": ["order paid"]}},
            "write the type of an event without spaces",
        ),
    ):
        yield Bad(name, good.with_value(path, value), says)


def _container() -> Iterator[Bad]:
    for name, path, value, says in (
        ("no image", "image", "", "at least 1 chars long"),
        ("an image with a space", "image", "busy box", "write a reference to an image"),
        ("an image in capitals", "image", "registry.example.com/Team/App", "write a reference to an image"),
        ("an image with an empty tag", "image", "busybox:", "write a reference to an image"),
        ("a long command", "command", ["x"] * 65, "must have at most 64 items"),
        ("an unknown pull policy", "imagePullPolicy", "Sometimes", 'supported values: "Always"'),
        ("root", "runAsUser", 0, "greater than or equal to 1"),
        ("a variable without value", "env", [{"name": "A"}], "set either value (which may be empty) or valueFrom"),
        (
            "a variable with two values",
            "env",
            [{"name": "A", "value": "", "valueFrom": A_KEY}],
            "set either value (which may be empty) or valueFrom",
        ),
        ("a variable of ours", "env", [{"name": "HEADGATE_RUN", "value": "1"}], "those that start with HEADGATE_"),
        ("a variable of no form", "env", [{"name": "1A", "value": "1"}], "use letters, digits and '_' only"),
        ("a variable twice", "env", [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}], "Duplicate value"),
        ("a value that is no string", "env", [{"name": "A", "value": 1}], "must be of type string"),
        ("a reference to nothing", "env", [{"name": "A", "valueFrom": {}}], "secretKeyRef: Required value"),
        (
            "a key of no form",
            "env",
            [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a/b"}}}],
            "use letters, digits, '-', '_' and '.' only",
        ),
        ("a mount of nothing", "mounts", [{"path": "/a"}], "set either configMap or secret"),
        (
            "a mount of two",
            "mounts",
            [{"path": "/a", "configMap": "a", "secret": "b"}],
            "set either configMap or secret",
        ),
        ("a path upwards", "mounts", [{"path": "/a/../b", "secret": "s"}], "write the path without '.' and '..'"),
        ("a path that is not absolute", "mounts", [{"path": "data", "secret": "s"}], "write an absolute directory"),
        ("a path with an end", "mounts", [{"path": "/data/", "secret": "s"}], "write an absolute directory"),
        ("a path with a colon", "mounts", [{"path": "/a:b", "secret": "s"}], "write an absolute directory"),
        ("the system's path", "mounts", [{"path": "/proc/1", "secret": "s"}], "/proc, /sys and /dev are the system's"),
        (
            "a path twice",
            "mounts",
            [{"path": "/a", "secret": "s"}, {"path": "/a", "configMap": "c"}],
            "Duplicate value",
        ),
        ("a Secret of no form", "mounts", [{"path": "/a", "secret": "My Secret"}], "use lower-case letters, digits"),
        ("a negative request", "resources", {"requests": {"cpu": "-1"}}, "write cpu as an amount of zero or more"),
        ("an unknown resource", "resources", {"limits": {"cpus": "1"}}, "a container has no cpus; use cpu, memory"),
    ):
        yield Bad(name, GOOD_WORKFLOW.with_value(f"{CONTAINER}.{path}", value), says)
    yield Bad("a pod's field", GOOD_WORKFLOW.with_value(f"{CONTAINER}.securityContext", {}), "unknown field")


def _run() -> Iterator[Bad]:
    good = GOOD_RUN
    yield Bad("no workflow", good.without("spec.workflowRef"), "spec.workflowRef: Required value")
    yield Bad("a workflow of no form", good.with_value("spec.workflowRef.name", "Nightly"), "use lower-case letters")
    yield Bad("a trigger of no form", good.with_trigger("By Hand"), "use lower-case letters, digits, '-' and '_' only")
    yield Bad("too many inputs", good.with_inputs(**{f"i{i}": i for i in range(63)}), "at most 64")
    yield Bad(
        "an input of no form", good.with_inputs(**{"since-when": 1}), "use letters, digits and '_' only in the name"
    )
    yield Bad("an input of a long name", good.with_inputs(**{"a" * 64: 1}), "63 characters at most")
    yield Bad("inputs in a list", good.with_spec(inputs=[]), "must be of type object")
    pins = [{"node": "load", "run": "1"}, {"node": "report", "run": "1"}]
    tried = good.with_spec(mode="Test", debug={"mocks": [{"node": "enough"}], "pins": pins})
    yield Bad("debug of a Normal run", tried.with_spec(mode="Normal"), "set mode to Test or Debug, or remove debug")
    yield Bad("a step of a Test run", tried.with_spec(step=1), "set mode to Debug: only such a run goes on by a step")
    yield Bad(
        "a node with a mock and a pin",
        tried.with_value("spec.debug.mocks", [{"node": "enough"}, {"node": "report"}]),
        "give a node either a mock or a pin",
    )
    yield Bad("a node that is pinned twice", tried.with_value("spec.debug.pins", [pins[0], pins[0]]), "Duplicate value")
    yield Bad("a pin to no run", tried.with_value("spec.debug.pins", [{"node": "load"}]), "run: Required value")
    yield Bad(
        "too many pins",
        tried.with_value("spec.debug.pins", [{"node": f"n{i}", "run": "1"} for i in range(101)]),
        "must have at most 100 items",
    )
    yield Bad("a long name", good.with_metadata(name="a" * 64), "metadata.name: Invalid value: shorten it to 63")


BAD: dict[str, Bad] = {
    f"{kind}: {bad.name}": bad
    for kind, cases in (
        ("quota", _quota()),
        ("workspace", _workspace()),
        ("workflow", _graph()),
        ("node", _node()),
        ("container", _container()),
        ("run", _run()),
    )
    for bad in cases
}
"""Every object that must be refused, by a name that says what is wrong with it."""
