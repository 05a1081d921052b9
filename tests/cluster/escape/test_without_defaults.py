"""Where the API server gives no defaults, what a tenant does not say is refused, with what to set."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster.escape.cases import Case, judge, policy
from tests.cluster.escape.defaults import BINDINGS
from tests.cluster.escape.objects import claim, ingress
from tests.cluster.escape.pods import PATHS, SILENCES, template
from tests.cluster.escape.stage import Stage
from tests.support.waiting import until

_KIND = "mutatingadmissionpolicybinding"


@pytest.fixture(scope="module", autouse=True)
def without_defaults(stage: Stage) -> Iterator[None]:
    """No policy that gives defaults is bound."""
    saved = [stage.kube.get(_KIND, name) for name in BINDINGS]
    stage.kube.kubectl("delete", _KIND, *BINDINGS)
    _until(stage, admitted=False)
    yield
    for binding in saved:
        kept = {key: binding["metadata"][key] for key in ("name", "labels", "annotations")}
        # In Helm's name, so that the next upgrade finds nobody else's fields.
        how = ("apply", "--server-side", "--field-manager=helm", "-f", "-")
        stage.kube.kubectl(*how, stdin=json.dumps({**binding, "metadata": kept}))
    _until(stage, admitted=True)


def _until(stage: Stage, *, admitted: bool) -> None:
    """Returns when the API server goes by what is bound, for all of the policies."""
    owner = stage.identity("owner")
    tries = [PATHS["pod"].make(SILENCES[name].applied()) for name in ("context", "pull-policy", "runtime")]
    until(lambda: all(owner.tries(request).admitted is admitted for request in (*tries, claim(None))))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("silence", SILENCES)
def test_silence_is_refused_with_what_to_set(stage: Stage, silence: str, path: str) -> None:
    flaw, way = SILENCES[silence], PATHS[path]

    judge(Case(silence, way.make(flaw.applied()), flaw.denied_by(path), way.make(template()), way.who), stage)


def test_classes_have_to_be_named(stage: Stage) -> None:
    judge(Case("x", claim(None), policy("storage"), claim("fast")), stage)
    judge(Case("x", ingress(None), policy("exposure"), ingress("inside")), stage)
