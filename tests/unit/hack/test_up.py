from __future__ import annotations

from pathlib import Path

import pytest

from hack import record
from hack.cluster.existing import ExistingContext
from hack.cluster.local import LocalCluster
from hack.install import Database
from hack.record import Record
from hack.steps import TroubleError
from hack.up import Wish, remember

OWN = Wish(context=None, image=None, database=None)
THEIRS = Wish(context="staging", image="registry.example/headgate:1", database=None)
DATABASE = Database("postgresql://a", "postgresql://b")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(record, "STATE", tmp_path)
    monkeypatch.setattr(record, "_FILE", tmp_path / "up.json")
    return tmp_path


def local(state: Path) -> LocalCluster:
    return LocalCluster("headgate", state / "cluster")


def test_what_is_about_to_be_made_is_recorded_first(state: Path) -> None:
    remember(local(state), OWN)

    assert Record.load() == Record("LocalCluster", own_postgres=True)


def test_a_database_that_was_given_is_not_ours_to_remove(state: Path) -> None:
    remember(local(state), Wish(context=None, image=None, database=DATABASE))

    assert Record.load() == Record("LocalCluster", own_postgres=False)


def test_what_was_learnt_the_first_time_is_kept(state: Path) -> None:
    known = Record("LocalCluster", own_postgres=True, own_namespace=True, own_definitions=True)
    known.save()

    remember(local(state), Wish(context=None, image=None, database=DATABASE))

    assert Record.load() == known


def test_two_set_ups_are_not_mixed(state: Path) -> None:
    remember(local(state), OWN)

    with pytest.raises(TroubleError, match="already up on LocalCluster"):
        remember(ExistingContext("staging", state / "cluster"), THEIRS)
    assert Record.load() == Record("LocalCluster", own_postgres=True)


def test_an_existing_cluster_needs_an_image_that_it_can_pull(state: Path) -> None:
    wish = Wish(context="staging", image=None, database=DATABASE)

    with pytest.raises(TroubleError, match="an image that it can pull"):
        remember(ExistingContext("staging", state / "cluster"), wish)
    assert Record.load() is None


def test_one_url_serves_both_logins_where_only_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://only")
    monkeypatch.delenv("DATABASE_MIGRATION_URL", raising=False)

    assert Wish.of(None).database == Database("postgresql://only", "postgresql://only")
