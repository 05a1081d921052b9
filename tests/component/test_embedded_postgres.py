"""The embedded Postgres of the quick start."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from hack import postgres
from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    state = Path(tempfile.mkdtemp(prefix="headgate-test-"))
    state.chmod(0o755)
    server = Server(state, listen="127.0.0.2", allow=("192.0.2.0/24",), durable=False).up()
    yield server
    server.down()
    shutil.rmtree(state)


def answers(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT true").fetchone() == (True,)


def test_both_logins_get_in_over_the_network_and_the_socket(running: Server) -> None:
    for login in (MIGRATOR, RUNTIME):
        assert answers(running.url(login))
        assert answers(running.url(login, local=True))


def test_the_superuser_gets_in_over_the_socket_alone(running: Server) -> None:
    assert answers(running.url(SUPERUSER, "postgres", local=True))
    with pytest.raises(psycopg.OperationalError, match="reject"):
        psycopg.connect(running.url(SUPERUSER, "postgres"))


def test_nobody_gets_in_without_the_password(running: Server) -> None:
    url = running.url(RUNTIME, local=True).replace(running.secrets().runtime, "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_networks_that_were_not_named_are_refused(running: Server) -> None:
    rules = (running.data / "pg_hba.conf").read_text().splitlines()
    assert [rule.split()[-2] for rule in rules if rule.startswith("host all all")] == [
        "127.0.0.1/32",
        "127.0.0.2/32",
        "192.0.2.0/24",
    ]


def test_secrets_are_for_their_owner_alone(running: Server) -> None:
    for name in ("database-url", "database-migration-url", "postgres-secrets.json"):
        assert stat.S_IMODE((running.state / name).stat().st_mode) == 0o600
    assert (running.state / "database-url").read_text() == running.url(RUNTIME) + "\n"


def test_bringing_it_up_again_changes_nothing(running: Server) -> None:
    before = (running.pid(), running.secrets())
    running.up()
    assert (running.pid(), running.secrets()) == before


def test_another_description_restarts_it_with_the_same_data(running: Server) -> None:
    before = running.pid()
    local = replace(running, listen=None, allow=()).up()
    assert local.pid() not in (None, before)
    assert answers(local.url(RUNTIME))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(running.url(RUNTIME), connect_timeout=2)
    running.up()


def test_it_comes_back_after_a_crash_with_what_was_committed(running: Server) -> None:
    with psycopg.connect(running.url(MIGRATOR)) as connection:
        connection.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('still here')")
    running.kill()
    assert running.pid() is None

    running.up()

    with psycopg.connect(running.url(MIGRATOR)) as connection:
        assert connection.execute("SELECT word FROM kept").fetchone() == ("still here",)


def test_a_stale_pid_file_of_another_process_does_not_mislead_it(running: Server) -> None:
    running.down()
    (running.data / "postmaster.pid").write_text("1\n")
    assert running.pid() is None
    running.up()
    assert running.pid() not in (None, 1)


def test_down_stops_it_and_says_whether_it_ran(running: Server) -> None:
    assert running.down()
    assert not running.down()
    running.up()


def test_the_command_line_remembers_where_it_listens(running: Server, capsys: pytest.CaptureFixture[str]) -> None:
    state = str(running.state)
    assert postgres.main(["up", "--state", state, "--listen", "127.0.0.2", "--allow", "192.0.2.0/24"]) == 0
    assert postgres.main(["status", "--state", state]) == 0
    assert postgres.main(["down", "--state", state]) == 0
    assert postgres.main(["status", "--state", state]) == 1
    assert postgres.main(["up", "--state", state]) == 0
    assert answers(running.url(RUNTIME))
    assert "does not run" in capsys.readouterr().out
