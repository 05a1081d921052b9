from __future__ import annotations

import pytest

from headgate.api.node import Node
from headgate.engine.steps.beginnings import Unready, memo_key, work_of


def an_action(image: str) -> Node:
    return Node.model_validate(
        {
            "id": "work",
            "type": "action",
            "dependsOn": ["start"],
            "memoize": {"key": "same"},
            "config": {"container": {"image": image}},
        }
    )


def test_an_image_is_what_its_expressions_make_of_it() -> None:
    node = an_action("shop/extract:${{ inputs.tag }}")

    _, config = work_of(node, node.config.to_wire(), {"inputs.tag": 4})

    assert config["container"]["image"] == "shop/extract:4"


def test_what_values_make_of_a_config_leaves_it_as_it_was() -> None:
    node = an_action("shop/extract:${{ inputs.tag }}")
    config = node.config.to_wire()

    work_of(node, config, {"inputs.tag": 4})

    assert config == node.config.to_wire()


def test_what_is_no_image_has_a_reason_of_its_own() -> None:
    node = an_action("shop/extract:${{ inputs.tag }}")

    with pytest.raises(Unready, match="its image became 'shop/extract:a b'") as refused:
        work_of(node, node.config.to_wire(), {"inputs.tag": "a b"})

    assert refused.value.reason == "InvalidImage"


def test_what_another_image_gave_is_not_remembered_as_its_own() -> None:
    node = an_action("shop/extract:${{ inputs.tag }}")

    assert memo_key(node, {"inputs.tag": "1"}) != memo_key(node, {"inputs.tag": "2"})
    assert memo_key(node, {"inputs.tag": "1"}) == memo_key(node, {"inputs.tag": "1"})
