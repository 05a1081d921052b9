"""What makes a copy another one."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.sync import Sync
from headgate.domain.sync import digest

KEY = {"credentialKeyRef": {"name": "shop", "key": "url"}}
SYNC: dict[str, Any] = {
    "source": {"postgres": {"connection": KEY, "table": "orders", "cursor": ["id"]}},
    "target": {"postgres": {"connection": KEY, "table": "copy", "key": ["id"]}},
}


def of(**members: Any) -> str:
    return digest(Sync.model_validate({**SYNC, **members}))


def test_how_many_records_at_once_makes_no_other_copy() -> None:
    assert of() == of(batch=7, maxBatches=3)
    assert len(of()) == 64


@pytest.mark.parametrize(
    "members",
    [
        {"source": {"postgres": {"connection": KEY, "table": "orders", "cursor": ["at", "id"]}}},
        {"source": {"postgres": {"connection": KEY, "table": "others", "cursor": ["id"]}}},
        {"target": {"postgres": {"connection": KEY, "table": "copy", "key": ["id", "at"]}}},
    ],
)
def test_another_source_or_target_does(members: dict[str, Any]) -> None:
    assert of(**members) != of()
