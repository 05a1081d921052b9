"""Runs by the command line: started once, watched to their end, listed and steered."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import yaml

from headgate.api.members import Role
from headgate.domain.step_log import log_path
from tests.builders import a_workflow
from tests.component.api_client import Api
from tests.component.commands import Said, Shell, ended, line_with, read_all
from tests.component.leaving import left_by_a_run
from tests.component.streaming import serving
from tests.component.world import World, one_node
from tests.support.waiting import eventually


@pytest.fixture
async def shell(api: Api, tmp_path: Path) -> AsyncIterator[Shell]:
    async with serving(api) as url:
        yield Shell(url, (await api.issue()).text, tmp_path)


async def begun(world: World) -> UUID:
    """The run that a command has started, once it has."""

    async def newest() -> UUID | None:
        rows = await world.rows("SELECT id FROM headgate.workflow_executions ORDER BY id")
        return UUID(str(rows[-1]["id"])) if rows else None

    return await eventually(newest, every=0.02)


async def followed(api: Api) -> None:
    """Return once somebody follows a run."""

    async def open_stream() -> bool:
        return bool(api.registry.get_sample_value("headgate_gateway_streams"))

    await eventually(open_stream, every=0.02)


class TestRun:
    async def test_it_starts_with_inputs_and_labels_and_says_which_it_is(self, world: World, shell: Shell) -> None:
        await world.given(one_node())

        said = await shell("run", "acme/nightly", "--label", "team=shop", "-o", "json")

        run = json.loads(said.out)
        assert (said.code, run["phase"], run["labels"], said.err) == (0, "Running", {"team": "shop"}, "")

    async def test_the_same_idempotency_key_gives_the_same_run(self, world: World, shell: Shell) -> None:
        await world.given(one_node())

        names = {(await shell("run", "nightly", "--idempotency-key", "k", "-o", "name")).out for _ in range(2)}
        others = {(await shell("run", "nightly", "-o", "name")).out for _ in range(2)}

        assert (len(names), len(names | others)) == (1, 3)

    async def test_a_debug_run_is_started_looked_at_and_stepped_through(self, world: World, shell: Shell) -> None:
        await world.given(a_workflow().with_input("day").with_node("a").with_node("b", after=["a"]))

        said = await shell(
            *("run", "nightly", "--debug", "-i", "day=monday", "--mock", 'a:={"rows": 3}', "--mock", "b=x"),
            *("--break", "a", "-o", "name"),
        )
        run = said.out.strip()

        shown = (await shell("get", run)).out
        assert f"Debug run {run}" in shown
        assert "Breakpoint: it stands before a" in shown
        assert "given day: monday" in shown
        for mode in ("Suspended", "Succeeded"):
            said = await shell("resume", run, "--step")
            assert (said.code, said.err) == (0, "")
            assert f"goes on: {mode}" in said.out
        listed = (await shell("list", "-o", "wide")).out
        assert "Debug" in listed

    async def test_mocks_alone_are_no_test(self, world: World, shell: Shell) -> None:
        await world.given(one_node())

        said = await shell("run", "nightly", "--mock", "work=x")

        assert (said.code, "go with --test or --debug" in said.err) == (2, True)
        assert (await shell("list")).out.count("nightly") == 0

    async def test_watched_it_tells_each_change_once_and_its_end(self, world: World, api: Api, shell: Shell) -> None:
        await world.given(a_workflow().with_node("a").with_node("b", after=["a"]))

        watching = asyncio.create_task(shell("run", "nightly", "--watch", "--timeout", "30s"))
        run = await begun(world)
        await followed(api)
        await world.succeed(run, "a")
        await world.succeed(run, "b")
        said = await watching

        told = [line.split(" ", 1)[-1].strip() for line in said.out.splitlines()]
        assert (said.code, said.err) == (0, "")
        assert told.count("run: Succeeded") == 1
        assert [line for line in told if line.startswith(("a: Succ", "b: Succ"))] == ["a: Succeeded", "b: Succeeded"]
        assert "\x1b" not in said.out
        assert said.out.splitlines()[-1].startswith(f"acme/nightly {run} Succeeded")

    async def test_one_that_fails_is_1_and_says_why(self, world: World, api: Api, shell: Shell) -> None:
        await world.given(one_node())

        watching = asyncio.create_task(shell("run", "nightly", "--watch", "-o", "json"))
        run = await begun(world)
        await followed(api)
        await world.fail(run)
        said = await watching

        assert said.code == 1
        assert json.loads(said.out)["phase"] == "Failed", "progress is not between what a program reads"
        assert "work: Failed (ExitCode" in said.err

    async def test_one_that_takes_too_long_is_3_and_goes_on(self, world: World, shell: Shell) -> None:
        await world.given(one_node())

        said = await shell("run", "nightly", "--watch", "--timeout", "50ms")

        assert said.code == 3
        assert "goes on" in said.err
        assert await world.phase(await begun(world)) == "Running"

    async def test_watching_goes_on_where_the_server_ended_it(self, world: World, api: Api, shell: Shell) -> None:
        await world.given(a_workflow().with_node("a").with_node("b", after=["a"]))
        run = await world.admit()

        watching = asyncio.create_task(shell("get", str(run), "--watch"))
        await followed(api)
        api.streams.close()
        await world.succeed(run, "a")
        api.streams.closing = False
        await world.succeed(run, "b")
        said = await watching

        assert said.code == 0
        assert [said.out.count(line) for line in ("  a: Succeeded", "  b: Succeeded", "run: Succeeded")] == [1, 1, 1]

    async def test_where_there_are_no_events_it_looks(self, world: World, api: Api, shell: Shell) -> None:
        await world.given(one_node())
        run = await world.admit()
        for _ in range(10):
            api.streams.take_place(world.ids["acme"])

        watching = asyncio.create_task(shell("get", str(run), "--watch"))
        await world.succeed(run)
        said = await watching

        assert said.code == 0
        assert said.out.count("work: Succeeded") == 1


class TestTheProgram:
    async def test_interrupted_it_is_130_and_the_run_goes_on(self, world: World, shell: Shell) -> None:
        await world.given(one_node())

        async with shell.process("run", "nightly", "--watch") as process:
            await line_with(process, "run: Running")
            process.send_signal(signal.SIGINT)
            said = await ended(process)

        assert said.code == 130
        assert "goes on: `headgate cancel" in said.err
        assert "Traceback" not in said.err
        assert await world.phase(await begun(world)) == "Running"

    async def test_on_a_terminal_it_draws_the_steps_as_a_tree(self, world: World, api: Api, shell: Shell) -> None:
        await world.given(one_node())
        run = await world.admit()
        terminal, its_end = os.openpty()

        async with shell.process("get", str(run), "--watch", terminal=its_end) as process:
            os.close(its_end)
            drawn = asyncio.create_task(asyncio.to_thread(read_all, terminal))
            await followed(api)
            await world.succeed(run)
            said = await ended(process)
        text = await drawn
        os.close(terminal)

        assert (said.code, said.err) == (0, "")
        assert "└── " in text
        assert "work" in text
        assert "\x1b[" in text

    @pytest.mark.parametrize(
        ("words", "code", "why"),
        [
            (("workflows",), 0, ""),
            (("list", "--colour"), 2, "No such option"),
            (("get", str(uuid4())), 2, "headgate: "),
            (("list", "--server", "http://127.0.0.1:1", "--context", "none"), 2, "there is no context none"),
        ],
    )
    async def test_its_exit_codes(self, shell: Shell, words: tuple[str, ...], code: int, why: str) -> None:
        async with shell.process(*words) as process:
            said = await ended(process)

        assert said.code == code
        assert why in said.err
        assert shell.token not in said.out + said.err


class TestList:
    async def test_pages_follow_each_other_up_to_the_limit(self, world: World, shell: Shell) -> None:
        await world.given(one_node())
        runs = [str(await world.admit()) for _ in range(3)]

        first = await shell("list", "--limit", "2", "-o", "json")
        shown = json.loads(first.out)
        rest = await shell("list", "--cursor", shown["nextCursor"], "-o", "name")

        assert [item["id"] for item in shown["items"]] + rest.out.split() == runs[::-1]
        assert "there are more: --all" in (await shell("list", "--limit", "2")).err

    async def test_filters_are_the_servers(self, world: World, shell: Shell) -> None:
        await world.given(one_node())
        over, _ = await world.admit(), await world.admit()
        await world.succeed(over)

        found = await shell("list", "--status", "succeeded", "--workflow", "nightly", "--since", "9999d", "-o", "name")

        assert found.out.split() == [str(over)]

    async def test_a_table_has_what_people_look_for(self, world: World, shell: Shell) -> None:
        await world.given(one_node())
        run = await world.admit()
        await world.fail(run)

        header, row = (await shell("list")).out.splitlines()
        assert header.split() == ["RUN", "WORKFLOW", "PHASE", "STARTED", "DURATION", "WHY"]
        assert row.split()[:3] == [str(run), "acme/nightly", "Failed"]
        assert "LABELS" in (await shell("list", "-o", "wide")).out
        assert yaml.safe_load((await shell("list", "-o", "yaml")).out)["items"][0]["id"] == str(run)


class TestOneRun:
    async def test_it_is_shown_with_its_nodes(self, world: World, shell: Shell) -> None:
        await world.given(one_node())
        run = await world.admit()
        await world.succeed(run, output={"rows": 3})

        text = (await shell("get", str(run))).out

        assert text.startswith("acme/nightly version 1: Succeeded")
        assert "work  Succeeded  1" in text
        assert '{"rows": 3}' in text

    async def test_its_log_is_shown_byte_by_byte_and_waited_for(self, world: World, api: Api, shell: Shell) -> None:
        await world.given(one_node())
        run = await world.admit()
        early = await shell("logs", str(run), "work")
        assert (early.code, early.out) == (2, "")
        assert "comes when the attempt has ended" in early.err

        waiting = asyncio.create_task(shell("logs", str(run), "work", "-f"))
        await followed(api)
        ref = world.ref(run, "work")
        await api.objects.put(log_path(ref), b"hello\n")
        await world.engine.logs.record(ref, log_path(ref), 6, truncated=True)
        said = await waiting

        assert (said.code, said.out) == (0, "hello\n")


class TestSteering:
    async def test_a_run_is_held_goes_on_ends_and_is_tried_again(self, world: World, shell: Shell) -> None:
        await world.given(one_node())
        run = await world.admit()

        early = await shell("retry", str(run))
        assert early.code == 1
        assert early.err.startswith("headgate: ")
        for words in (("suspend", "--reason", "lunch"), ("resume",), ("cancel",)):
            said = await shell(words[0], str(run), *words[1:])
            assert (said.code, said.err) == (0, ""), words
        failed = await world.admit()
        await world.fail(failed)
        assert (await shell("retry", str(failed), "-o", "name")).out == f"{failed}\n"

    async def test_approvals_are_decided(self, world: World, shell: Shell) -> None:
        await world.given(a_workflow().with_node("go", {"approval": {}}))
        yes, no = await world.admit(), await world.admit()

        assert (await shell("approve", str(yes), "go", "--comment", "fine")).code == 0
        assert (await shell("reject", str(no), "go")).code == 0

        assert [await world.phase(run) for run in (yes, no)] == ["Succeeded", "Failed"]
        late = await shell("approve", str(yes), "go")
        assert late.code == 1


class TestRefusals:
    async def test_they_are_in_the_servers_words_with_a_code(self, world: World, api: Api, shell: Shell) -> None:
        await world.given(one_node())
        viewer = Shell(shell.url, (await api.issue(role=Role.VIEWER)).text, shell.home)
        stranger = Shell(shell.url, "hg_nonsense", shell.home)

        for asker, words, code, why in (
            (viewer, ("run", "nightly"), 1, "runs:write"),
            (stranger, ("list",), 1, "headgate login"),
            (shell, ("run", "none"), 2, "none"),
            (shell, ("list", "--workspace", "other"), 2, "headgate: "),
            (shell, ("run", "nightly", "-i", "x"), 2, "KEY=TEXT"),
            (shell, ("run", "nightly", "--timeout", "5m"), 2, "--watch"),
            (shell.nobody(), ("list",), 2, "there is no token"),
        ):
            said: Said = await asker(*words)
            assert (said.code, said.out) == (code, ""), (words, said.err)
            assert why in said.err, words
            assert "hg_" not in said.err


class TestArtifacts:
    async def test_they_are_listed_shown_and_saved(self, world: World, api: Api, shell: Shell, tmp_path: Path) -> None:
        run = str(await left_by_a_run(world, api.objects, a_csv=b"1,2\n", b_bin=bytes(range(256))))

        assert "a.csv" in (await shell("artifacts", run)).out
        assert (await shell("artifacts", run, "work", "-o", "name")).out == "a.csv\nb.bin\n"
        assert (await shell("artifacts", run, "other", "-o", "name")).out == ""
        assert (await shell("artifacts", run, "work", "a.csv")).out == "1,2\n"
        saved = await shell("artifacts", run, "--to", str(tmp_path / "files"))
        assert (saved.code, sorted(os.listdir(tmp_path / "files" / "work"))) == (0, ["a.csv", "b.bin"])
        assert (tmp_path / "files" / "work" / "b.bin").read_bytes() == bytes(range(256))

    async def test_a_file_that_is_there_is_not_written_over(
        self, world: World, api: Api, shell: Shell, tmp_path: Path
    ) -> None:
        run = str(await left_by_a_run(world, api.objects, a=b"theirs"))
        (tmp_path / "work").mkdir()
        (tmp_path / "work" / "a").write_text("mine")

        said = await shell("artifacts", run, "--to", str(tmp_path))

        assert (said.code, "is there already" in said.err) == (2, True)
        assert (tmp_path / "work" / "a").read_text() == "mine"

    async def test_what_comes_otherwise_than_it_was_kept_is_not_saved(
        self, world: World, api: Api, shell: Shell, tmp_path: Path
    ) -> None:
        run = str(await left_by_a_run(world, api.objects, a=b"as it was"))
        [row] = await world.rows("SELECT path FROM headgate.run_artifacts")
        await api.objects.put(row["path"], b"as it is.")

        said = await shell("artifacts", run, "--to", str(tmp_path))

        assert "came otherwise" in said.err
        assert os.listdir(tmp_path / "work") == []
