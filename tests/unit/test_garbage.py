from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from headgate.garbage import THRESHOLDS, loading, look_seldom


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Puts the search back to what it was."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_garbage_is_looked_for_seldom_and_never_in_what_was_there() -> None:
    gc.unfreeze()

    look_seldom()

    assert gc.get_threshold() == THRESHOLDS
    assert gc.get_freeze_count() > 0


@pytest.mark.parametrize("enabled", [True, False])
def test_none_is_looked_for_while_modules_are_loaded(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    try:
        with loading():
            assert not gc.isenabled()

        assert gc.isenabled() is enabled
    finally:
        gc.enable()


def test_what_cannot_be_loaded_changes_nothing_for_what_comes_after() -> None:
    with pytest.raises(ImportError), loading():
        raise ImportError

    assert gc.isenabled()
