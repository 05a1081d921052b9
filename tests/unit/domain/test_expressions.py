from __future__ import annotations

from typing import Any

import pytest

from headgate.api.inputs import Output
from headgate.api.node import Node
from headgate.api.workflow import Concurrency
from headgate.domain.expressions import Reference, expressions_of, problems, reads, references
from tests.unit.domain.nodes import a_condition, a_spec, a_trigger, an_action


def args(*words: str) -> dict[str, Any]:
    return {"container": {"image": "example.test/tool", "args": list(words)}}


def test_a_node_has_the_expressions_in_its_strings_each_once() -> None:
    node = an_action(
        "load", args=["${{ inputs.day }}"], env=[{"name": "DAY", "value": "${{ inputs.day }}/${{ 1 + 1 }}"}]
    )

    assert expressions_of(node) == ("inputs.day", "1 + 1")


def test_a_condition_has_its_own() -> None:
    assert expressions_of(a_condition("enough", expression="inputs.n > 1")) == ("inputs.n > 1",)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("nodes.load.output.rows > inputs.limit", [("nodes", "load"), ("inputs", "limit")]),
        ('nodes["load-all"].output', [("nodes", "load-all")]),
        ("nodes['load-all'].output", [("nodes", "load-all")]),
        ("nodes.`load-all`.output", [("nodes", "load-all")]),
        ("nodes.?load.output", [("nodes", "load")]),
        ("nodes[?'load'].output", [("nodes", "load")]),
        ("has(nodes.load) && inputs . day == ''", [("nodes", "load"), ("inputs", "day")]),
        ("[inputs.a].map(x, x + inputs.b)", [("inputs", "a"), ("inputs", "b")]),
        ("nodes[inputs.which].output", [("nodes", None), ("inputs", "which")]),
        (r"nodes['a\'b']", [("nodes", None)]),
        ("'nodes.load' + \"inputs.day\" // nodes.gone", []),
        ("inputs.nodes.load", [("inputs", "nodes")]),
        ("size(nodes)", [("nodes", None)]),
        ("run.id", [("run", "id")]),
        ("inputs.runs.map(run, run.name)", [("inputs", "runs"), ("run", None), ("run", None)]),
        ("nodes.", [("nodes", None)]),
        ("mynodes.load", []),
    ],
)
def test_references_are_what_is_named(expression: str, found: list[tuple[str, str | None]]) -> None:
    assert [(reference.variable, reference.name) for reference in references(expression)] == found


@pytest.mark.parametrize(
    ("expression", "reference"),
    [
        ("nodes.load.output.rows", Reference("nodes", "load", "output")),
        ("nodes[?'load'].?output.rows", Reference("nodes", "load", "output")),
        ("nodes.load", Reference("nodes", "load")),
        ("nodes.load[inputs2]", Reference("nodes", "load")),
        ("nodes.at-two.output", Reference("nodes", "at", dashed=True)),
        ("nodes['at']-two", Reference("nodes", "at")),
    ],
)
def test_a_reference_tells_what_is_read_of_a_node(expression: str, reference: Reference) -> None:
    assert list(references(expression)) == [reference]


@pytest.mark.parametrize(
    ("expressions", "read"),
    [
        ([], set()),
        (["inputs.a", "1 + 1"], set()),
        (["nodes.a.output", "has(nodes.c)"], {"a", "c"}),
        (["nodes.elsewhere.output"], set()),
        (["nodes.a.output", "nodes[inputs.which].output"], {"a", "b", "c"}),
        (["size(nodes)"], {"a", "b", "c"}),
        (["nodes.all(name, nodes[name].phase == 'Succeeded')"], {"a", "b", "c"}),
    ],
)
def test_expressions_read_the_nodes_that_they_name(expressions: list[str], read: set[str]) -> None:
    assert reads(expressions, {"a", "b", "c"}) == read


def test_inputs_and_all_that_comes_before_may_be_named() -> None:
    spec = a_spec(
        a_trigger("start"),
        an_action("extract", "start", args=["${{ inputs.day }}"]),
        a_condition("enough", "extract", expression="nodes.extract.output.rows > 0"),
        an_action(
            "report", "enough:false", args=["${{ nodes.extract.output.rows }} ${{ nodes.start.phase }} ${{ run.id }}"]
        ),
        inputs=("day",),
    )

    assert problems(spec) == ()


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("${{ inputs.dya }}", "node report: there is no input dya: declare it in spec.inputs"),
        ("${{ nodes.nowhere.output }}", "node report: there is no node nowhere"),
        (
            "${{ nodes.aside.output }}",
            "node report: it reads nodes.aside, but does not depend on it: add aside to dependsOn",
        ),
        (
            "${{ nodes.report.output }}",
            "node report: it reads nodes.report, but does not depend on it: add report to dependsOn",
        ),
        (
            "${{ nodes.load-all.output }}",
            'node report: there is no node load: a name with a dash is written nodes["load-all"]',
        ),
        (
            '${{ nodes["load-all"].outputs.rows }}',
            "node report: there is no outputs of node load-all: a node has output and phase",
        ),
        ("${{ run.name }}", "node report: there is no run.name: a run has id, workflow and phase"),
        ("${{ inputs.day }", "node report: '${{ inputs.day }' is not closed by }}"),
    ],
)
def test_names_that_a_node_cannot_know_are_problems(template: str, problem: str) -> None:
    spec = a_spec(
        a_trigger("start"),
        an_action("aside", "start"),
        an_action("load-all", "start"),
        an_action("report", "load-all", args=[template]),
        inputs=("day",),
    )

    assert problems(spec) == (problem,)


def test_the_same_problem_is_told_once() -> None:
    spec = a_spec(a_trigger(), an_action("report", "start", args=["${{ inputs.a }}", "${{ inputs.a + 1 }}"]))

    assert len(problems(spec)) == 1


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("${{ event.workflow }} ${{ event.runId }} ${{ event.phase }} ${{ event.outputs.rows }}", None),
        ("${{ event == null ? 'by hand' : event.phase }}", None),
        ("${{ event.inputs }}", "node report: there is no event.inputs: an event has workflow, runId, phase, outputs"),
    ],
)
def test_the_event_can_be_read_where_a_trigger_is_one(template: str, problem: str | None) -> None:
    end = Node.model_validate({"id": "end", "type": "trigger", "config": {"event": {"workflow": "other"}}})
    spec = a_spec(a_trigger("start"), end, an_action("report", "start", "end", args=[template]))

    assert problems(spec) == (() if problem is None else (problem,))


def test_the_event_cannot_be_read_where_no_trigger_is_one() -> None:
    spec = a_spec(a_trigger("start"), an_action("report", "start", args=["${{ event.phase }}"]))

    assert problems(spec) == (
        "node report: there is no event: none of the triggers is the end of another workflow's run",
    )


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"forEach": {"items": "[1]"}, "config": args("${{ item }} ${{ index }}")}, None),
        ({"config": args("${{ item }}")}, "node work: there is no item here: only a node with forEach has one"),
        ({"forEach": {"items": "[index]"}}, "node work: there is no index here: only a node with forEach has one"),
        ({"config": args("${{ inputs.day.map(item, item) }}")}, None),
        ({"retry": {"limit": 1, "when": "attempt.exitCode == 3"}}, None),
        ({"config": args("${{ attempt.number }}")}, "node work: there is no attempt here: only retry.when reads one"),
        ({"final": True, "config": args("${{ run.phase }}")}, None),
        (
            {"config": args("${{ run.phase }}")},
            "node work: there is no run.phase here: only final nodes know how the run went",
        ),
        (
            {"memoize": {"key": "${{ inputs.nothing }}"}},
            "node work: there is no input nothing: declare it in spec.inputs",
        ),
        ({"memoize": {"key": "${{ inputs.day"}}, "node work: '${{ inputs.day' is not closed by }}"),
    ],
)
def test_some_variables_have_a_value_in_some_places_only(members: dict[str, Any], problem: str | None) -> None:
    node = Node.model_validate({"id": "work", "type": "action", "dependsOn": ["start"], "config": args(), **members})

    assert problems(a_spec(a_trigger(), node, inputs=("day",))) == ((problem,) if problem else ())


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("nodes.load.output.rows + inputs.n", None),
        ("nodes.gone.output", "output sum: there is no node gone"),
        ("item", "output sum: there is no item here: only a node with forEach has one"),
        ("run.phase", "output sum: there is no run.phase here: only final nodes know how the run went"),
    ],
)
def test_the_outputs_of_a_run_read_any_node(expression: str, problem: str | None) -> None:
    spec = a_spec(a_trigger(), an_action("load", "start"), inputs=("n",))
    spec = spec.model_copy(update={"outputs": (Output(name="sum", expression=expression),)})

    assert problems(spec) == ((problem,) if problem else ())


@pytest.mark.parametrize(
    ("mutex", "found"),
    [
        ("deploy", ()),
        ("deploy-${{ inputs.day }}-${{ run.workflow }}", ()),
        ("${{ inputs.dya }}", ("concurrency.mutex: there is no input dya: declare it in spec.inputs",)),
        ("${{ nodes.start.phase }}", ("concurrency.mutex: it is known before any node runs: use inputs only",)),
        ("${{ event.runId }}", ("concurrency.mutex: it is known before any node runs: use inputs only",)),
        ("${{ inputs.day }", ("concurrency.mutex: '${{ inputs.day }' is not closed by }}",)),
    ],
)
def test_a_mutex_may_name_inputs(mutex: str, found: tuple[str, ...]) -> None:
    spec = a_spec(a_trigger("start"), inputs=("day",)).model_copy(update={"concurrency": Concurrency(mutex=mutex)})

    assert problems(spec) == found


def test_an_expression_where_none_is_taken_is_a_problem_of_its_node() -> None:
    mounts = [{"path": "/data/${{ inputs.day }}", "secret": "s"}]
    spec = a_spec(a_trigger("start"), an_action("report", "start", mounts=mounts), inputs=("day",))

    assert problems(spec) == (
        "node report: expressions are not taken in config.container.mounts.path: write the value itself",
    )
