"""Which findings about the rendered chart are right to stay, and why."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Excepted:
    """One check that does not count for some objects."""

    program: str
    check: str
    target: str
    """The objects, as the program names them; `*` stands for anything."""
    why: str

    def covers(self, check: str, target: str) -> bool:
        """Whether the exception is for this finding."""
        return check == self.check and fnmatchcase(target, self.target)


_CPU_LIMIT = (
    "A limit of processor time throttles the operator just when everything has to be reconciled at once, although the"
    " node may have nothing else to do. Its request guarantees its part, and memory is limited. Whoever wants a limit"
    " sets operator.resources."
)
_PULL_POLICY = (
    "Tags of releases are never moved, and image.digest pins the very image. Always would make each restart depend on"
    " the registry, and fail where the image is only on the node. image.pullPolicy changes it."
)
_DIGEST = "The digest is known only after the image is built and pushed: whoever installs pins it with image.digest."
_NO_POLICY = (
    "A Job of a Helm hook, which listens on no port. It runs before the release's objects are made, or after they are"
    " deleted, so no NetworkPolicy of the release could be there for it."
)
_TOKEN = "Its work is to talk to the Kubernetes API; what the token may do is spelled out in the chart's roles."
_SECRET = (
    "The URL of the database is read once at the start, and child processes are started without it. A file could be"
    " read by the same process, and by its children too."
)
_DEFAULT_NAMESPACE = (
    "Where the API server answers is told only by objects in the namespace default, and a Role has to be where they"
    " are. It allows reading the Service kubernetes and listing EndpointSlices. Nothing of Headgate runs there."
)

EXCEPTIONS = (
    Excepted("kube-score", "container-resources", "*", _CPU_LIMIT),
    Excepted("kube-score", "container-image-pull-policy", "*", _PULL_POLICY),
    Excepted("kube-score", "pod-networkpolicy", "Job/*/headgate-migrate", _NO_POLICY),
    Excepted("kube-score", "pod-networkpolicy", "Job/*/headgate-release", _NO_POLICY),
    Excepted("checkov", "CKV_K8S_11", "*", _CPU_LIMIT),
    Excepted("checkov", "CKV_K8S_15", "*", _PULL_POLICY),
    Excepted("checkov", "CKV_K8S_43", "*", _DIGEST),
    Excepted("checkov", "CKV2_K8S_6", "Pod.*.headgate-migrate.*", _NO_POLICY),
    Excepted("checkov", "CKV2_K8S_6", "Pod.*.headgate-release.*", _NO_POLICY),
    Excepted("checkov", "CKV_K8S_38", "Deployment.*.headgate-operator", _TOKEN),
    Excepted("checkov", "CKV_K8S_38", "Deployment.*.headgate-gateway", _TOKEN),
    Excepted("checkov", "CKV_K8S_38", "Job.*.headgate-release", _TOKEN),
    Excepted("checkov", "CKV_K8S_35", "*", _SECRET),
    Excepted("checkov", "CKV_K8S_21", "Role.default.headgate-operator-endpoints", _DEFAULT_NAMESPACE),
    Excepted("checkov", "CKV_K8S_21", "RoleBinding.default.headgate-operator-endpoints", _DEFAULT_NAMESPACE),
)
