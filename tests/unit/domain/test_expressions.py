from __future__ import annotations

import pytest

from headgate.domain.expressions import Reference, expressions_of, problems, references
from tests.unit.domain.nodes import a_condition, a_spec, a_trigger, an_action


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
        ("nodes[inputs.which].output", [("inputs", "which")]),
        ("'nodes.load' + \"inputs.day\" // nodes.gone", []),
        ("inputs.nodes.load", [("inputs", "nodes")]),
        ("size(nodes)", []),
        ("mynodes.load", []),
    ],
)
def test_references_are_what_is_named(expression: str, found: list[tuple[str, str]]) -> None:
    assert [(reference.variable, reference.name) for reference in references(expression)] == found


def test_a_minus_after_a_name_is_noted() -> None:
    assert list(references("nodes.at-two")) == [Reference("nodes", "at", dashed=True)]


def test_inputs_and_all_that_comes_before_may_be_named() -> None:
    spec = a_spec(
        a_trigger("start"),
        an_action("extract", "start", args=["${{ inputs.day }}"]),
        a_condition("enough", "extract", expression="nodes.extract.output.rows > 0"),
        an_action("report", "enough:false", args=["${{ nodes.extract.output.rows }} ${{ nodes.start.output }}"]),
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
