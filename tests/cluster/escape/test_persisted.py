"""What is really stored, not only tried."""

from __future__ import annotations

import copy
from typing import Any

from tests.cluster.escape.pods import POD
from tests.cluster.escape.requests import create, delete, get
from tests.cluster.escape.stage import Stage
from tests.support.waiting import until

_WHERE = "/apis/apps/v1/namespaces/{victim}/deployments"


def _deployment(name: str, **security: Any) -> dict[str, Any]:
    spec = {key: copy.deepcopy(POD[key]) for key in ("automountServiceAccountToken", "securityContext", "containers")}
    spec["containers"][0]["securityContext"].update(security)
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def test_a_deployment_within_the_rules_gets_its_pods_and_one_outside_is_not_stored(stage: Stage) -> None:
    owner = stage.identity("neighbour")
    assert not owner.tries(create(_WHERE, _deployment("bad", privileged=True)), dry=False).admitted
    good = owner.tries(create(_WHERE, _deployment("good")), dry=False)
    assert good.admitted, good.message

    pods = get("/api/v1/namespaces/{victim}/pods?labelSelector=app%3Dgood")
    until(lambda: owner.tries(pods).object["items"], what="a pod of the Deployment")

    names = [item["metadata"]["name"] for item in owner.tries(get(_WHERE)).object["items"]]
    assert names == ["good"]
    assert owner.tries(delete(f"{_WHERE}/good?propagationPolicy=Background"), dry=False).admitted
