"""A script's folder is gone afterwards, whatever the script put there and in place of what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.runner.script_folder import ScriptFolder, script_folder


def left_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def nothing(_: ScriptFolder) -> None: ...


def an_output(folder: ScriptFolder) -> None:
    folder.output.write_text("1")


def files_everywhere(folder: ScriptFolder) -> None:
    for place in (folder.path, folder.work, folder.artifacts):
        (place / "file").touch()
        (place / "folder").mkdir()
        (place / "folder" / "file").touch()


def a_folder_in_place_of_its_source(folder: ScriptFolder) -> None:
    folder.source.unlink()
    folder.source.mkdir()
    (folder.source / "file").touch()


def no_artifacts(folder: ScriptFolder) -> None:
    folder.artifacts.rmdir()


def a_link_in_place_of_where_it_works(folder: ScriptFolder) -> None:
    folder.work.rmdir()
    folder.work.symlink_to(folder.path.parent)


def all_of_it_gone(folder: ScriptFolder) -> None:
    folder.source.unlink()
    for place in (folder.artifacts, folder.work, folder.path):
        place.rmdir()


@pytest.mark.parametrize(
    "leave",
    [
        nothing,
        an_output,
        files_everywhere,
        a_folder_in_place_of_its_source,
        no_artifacts,
        a_link_in_place_of_where_it_works,
        all_of_it_gone,
    ],
    ids=lambda leave: leave.__name__,
)
async def test_it_is_gone(
    leave: Callable[[ScriptFolder], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "of somebody else").touch()

    async with script_folder("true") as folder:
        assert folder.source.read_text() == "true"
        leave(folder)

    assert left_in(tmp_path) == ["of somebody else"]


async def test_it_is_gone_where_what_is_done_in_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with pytest.raises(ZeroDivisionError):
        async with script_folder("true"):
            raise ZeroDivisionError

    assert left_in(tmp_path) == []
