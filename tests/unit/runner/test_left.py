"""What a script leaves in ``$HEADGATE_ARTIFACTS``, which may be anything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from headgate.runner import left
from headgate.runner.errors import NodeFailed
from headgate.runner.left import OpenFile, opened
from headgate.runner.program import Ended, Limits, Program, run

IN = 'cd "$HEADGATE_ARTIFACTS"; '


async def kept(source: str, language: str = "shell") -> tuple[Ended, dict[str, bytes]]:
    """How a script ended, and what was kept of it."""
    found: dict[str, bytes] = {}

    async def keep(files: Sequence[OpenFile]) -> None:
        for file in files:
            found[file.name] = b"".join([piece async for piece in file.pieces()])
            assert file.size == len(found[file.name])

    program = Program(language, source, {})  # type: ignore[arg-type]
    return await run(program, lambda _stream, _text: None, 1.0, Limits(), keep), found


async def test_files_are_kept_as_they_are() -> None:
    _, found = await kept(IN + "printf 'a\\0b' > one.bin; : > empty; printf 'x' > Z")

    assert found == {"one.bin": b"a\0b", "empty": b"", "Z": b"x"}


async def test_the_folder_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    where = tmp_path / "where"

    _, found = await kept(f'ls -A "$HEADGATE_ARTIFACTS" > {where}; echo "$HEADGATE_ARTIFACTS" >> {where}')

    assert found == {}
    assert not is_there(where.read_text().strip())


def is_there(path: str) -> bool:
    return Path(path).exists()


async def test_a_large_one_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left, "PIECE_BYTES", 1000)

    _, found = await kept(IN + "head -c 12345 /dev/zero > zero")

    assert found == {"zero": bytes(12345)}


async def test_of_a_script_that_fails_nothing_is_kept() -> None:
    ended, found = await kept(IN + "echo > a; exit 3")

    assert (ended.code, found) == (3, {})


async def test_nor_of_one_whose_output_is_none() -> None:
    ended, found = await kept(IN + "echo > a; echo { > $HEADGATE_OUTPUT")

    assert (ended.mistake is not None, found) == (True, {})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("ln -s /etc/hostname x", "no plain file"),
        ("ln -s nowhere x", "no plain file"),
        ("mkfifo x", "no plain file"),
        ("mkdir x", "no plain file"),
        ("echo > .hidden", "is called '.hidden'"),
        ("echo > ./-rf", "is called '-rf'"),
        ("echo > 'a b'", "is called 'a b'"),
        ("for n in $(seq 21); do echo > f$n; done", "more than 20 files"),
        ("cd ..; rmdir artifacts", "no folder any more"),
        ("cd ..; rmdir artifacts; ln -s /etc artifacts", "no folder any more"),
        ("cd ..; rmdir artifacts; echo > artifacts", "no folder any more"),
    ],
)
async def test_what_is_no_plain_file_of_a_plain_name_is_a_clear_failure(source: str, words: str) -> None:
    with pytest.raises(NodeFailed, match=words) as failure:
        await kept(IN + source)

    assert failure.value.reason == "InvalidArtifact"


async def test_a_socket_is_no_file() -> None:
    with pytest.raises(NodeFailed, match="no plain file"):
        await kept(
            "import os, socket; os.chdir(os.environ['HEADGATE_ARTIFACTS']); socket.socket(socket.AF_UNIX).bind('x')",
            "python",
        )


@pytest.mark.parametrize("name", [r"a\nb", r"\xff\xfe", r"\xc3\xa9"])
async def test_a_name_of_any_bytes_is_told_and_not_kept(name: str) -> None:
    source = f"import os; open(os.environb[b'HEADGATE_ARTIFACTS'] + b'/{name}', 'w')"

    with pytest.raises(NodeFailed, match="is called") as failure:
        await kept(source, "python")

    assert failure.value.message.isascii()


async def test_one_that_becomes_shorter_while_it_is_read_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")

    with opened(tmp_path) as [file]:
        os.truncate(tmp_path / "a", 3)
        pieces = file.pieces()
        assert await anext(pieces) == b"123"
        with pytest.raises(NodeFailed, match="was changed"):
            await anext(pieces)


async def test_one_that_becomes_longer_is_kept_as_long_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")

    with opened(tmp_path) as [file]:
        (tmp_path / "a").write_bytes(b"1234567")
        assert b"".join([piece async for piece in file.pieces()]) == b"12345"


async def test_whatever_takes_its_name_afterwards_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mine")
    (tmp_path / "b").write_bytes(b"else")

    with opened(tmp_path) as [file, _]:
        os.replace(tmp_path / "b", tmp_path / "a")
        assert b"".join([piece async for piece in file.pieces()]) == b"mine"


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").symlink_to("a")
    before = os.listdir("/proc/self/fd")

    with pytest.raises(NodeFailed), opened(tmp_path):
        pass

    assert os.listdir("/proc/self/fd") == before
