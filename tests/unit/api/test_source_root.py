from __future__ import annotations

import operator
import sysconfig
from pathlib import Path

import headgate


def test_the_source_root_is_no_package() -> None:
    root = Path(headgate.__file__).resolve().parents[1]

    assert root.name == "operator"
    assert not (root / "__init__.py").exists()


def test_operator_is_the_standard_library() -> None:
    assert Path(operator.__file__).parent == Path(sysconfig.get_path("stdlib"))
    assert operator.itemgetter("a")({"a": 1}) == 1
