from __future__ import annotations

from typing import Any

import pytest

from headgate.domain.templating import misplaced, rendered, templated

VALUES = {"inputs.n": 3, "inputs.list": [1, 2], "inputs.text": "x"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {
                "container": {
                    "image": "shop/tool:${{ inputs.n }}",
                    "args": ["${{ inputs.n }}"],
                    "env": [{"name": "A", "value": "n=${{ inputs.n }}"}],
                }
            },
            {"container": {"image": "shop/tool:3", "args": ["3"], "env": [{"name": "A", "value": "n=3"}]}},
        ),
        (
            {
                "script": {
                    "language": "python",
                    "source": "${{ inputs.n }}",
                    "env": [{"name": "A", "value": "${{ inputs.list }}"}],
                }
            },
            {"script": {"language": "python", "source": "${{ inputs.n }}", "env": [{"name": "A", "value": "[1,2]"}]}},
        ),
        (
            {"sql": {"query": "SELECT ${{ inputs.n }}", "parameters": [{"name": "n", "value": "${{ inputs.n }}"}]}},
            {"sql": {"query": "SELECT ${{ inputs.n }}", "parameters": [{"name": "n", "value": "3"}]}},
        ),
        (
            {
                "http": {
                    "url": "https://x/${{ inputs.text }}",
                    "headers": [{"name": "${{ inputs.n }}", "value": "${{ inputs.n }}"}],
                }
            },
            {"http": {"url": "https://x/x", "headers": [{"name": "${{ inputs.n }}", "value": "3"}]}},
        ),
        (
            {
                "workflow": {
                    "name": "${{ inputs.n }}",
                    "inputs": {"whole": "${{ inputs.list }}", "part": "a${{ inputs.n }}"},
                }
            },
            {"workflow": {"name": "${{ inputs.n }}", "inputs": {"whole": [1, 2], "part": "a3"}}},
        ),
        ({"approval": {"message": "ship ${{ inputs.text }}?"}}, {"approval": {"message": "ship x?"}}),
        (
            {
                "connector": {
                    "smtp": {"host": "${{ inputs.n }}", "to": ["a", "${{ inputs.text }}"], "text": "n=${{ inputs.n }}"}
                }
            },
            {"connector": {"smtp": {"host": "${{ inputs.n }}", "to": ["a", "x"], "text": "n=3"}}},
        ),
        (
            {"connector": {"kafka": {"produce": {"topic": "t", "records": [{"value": "${{ inputs.n }}"}]}}}},
            {"connector": {"kafka": {"produce": {"topic": "t", "records": [{"value": "3"}]}}}},
        ),
        (
            {"connector": {"sync": {"source": {"http": {"url": "https://x/${{ inputs.n }}"}}}}},
            {"connector": {"sync": {"source": {"http": {"url": "https://x/${{ inputs.n }}"}}}}},
        ),
        ({"transform": {"expression": "${{ inputs.n }}"}}, {"transform": {"expression": "${{ inputs.n }}"}}),
        ({"http": {"url": "https://x"}}, {"http": {"url": "https://x"}}),
    ],
    ids=lambda config: next(iter(config)),
)
def test_values_stand_in_for_expressions_and_never_become_code(
    config: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert rendered(config, VALUES) == expected


def test_a_secret_of_a_variable_is_no_template() -> None:
    variable = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "${{ inputs.n }}", "key": "k"}}}

    assert templated({"container": {"env": [variable]}}) == []


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (
            {"sql": {"query": "SELECT ${{ inputs.n }}"}},
            ["expressions are not taken in config.sql.query: pass the value by parameters"],
        ),
        (
            {"container": {"image": "x:${{ inputs.n }}", "mounts": [{"path": "/a/${{ inputs.n }}", "secret": "s"}]}},
            ["expressions are not taken in config.container.mounts.path: write the value itself"],
        ),
        (
            {"connector": {"sync": {"source": {"http": {"url": "https://x/${{ inputs.n }}"}}}}},
            ["expressions are not taken in config.connector.sync.source.http.url: write the value itself"],
        ),
        # In a script it may be meant as it is, and CEL has strings of its own.
        ({"script": {"source": 'f"${{{price}}}"', "env": [{"name": "A", "value": "${{ inputs.n }}"}]}}, []),
        ({"transform": {"expression": "'${{' + inputs.n"}}, []),
        ({"expression": "inputs.n == '${{'"}, []),
        ({"workflow": {"name": "other", "inputs": {"deep": [{"n": "${{ inputs.n }}"}]}}}, []),
    ],
)
def test_an_expression_where_none_is_taken_is_told(config: dict[str, Any], found: list[str]) -> None:
    assert list(misplaced(config)) == found
