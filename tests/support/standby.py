"""A standby of a test's Postgres, which follows it as one in production would."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psycopg

from hack.ports import free_port
from hack.postgres import SUPERUSER, Server, _write_private
from hack.postgres_account import give_away
from tests.support.waiting import until


@dataclass(frozen=True)
class Standby(Server):
    """A server with the logins of its primary, whose log it streams over the primary's socket."""

    primary: Server | None = None

    def pause(self) -> None:
        """Let it take in what the primary writes, and show nothing of it."""
        self._asked("SELECT pg_wal_replay_pause()")
        until(
            lambda: self._asked("SELECT pg_get_wal_replay_pause_state()") == "paused",
            every=0.01,
            what="a paused replay",
        )

    def resume(self) -> None:
        self._asked("SELECT pg_wal_replay_resume()")

    def has_everything(self) -> bool:
        """Whether it shows all that its primary has written by now."""
        assert self.primary is not None
        with psycopg.connect(self.primary.url(SUPERUSER, "postgres", local=True)) as connection:
            written = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
        return bool(self._asked("SELECT pg_last_wal_replay_lsn() >= CAST(%s AS pg_lsn)", *(written or ())))

    def _asked(self, statement: str, *parameters: object) -> object:
        with psycopg.connect(self.url(SUPERUSER, "postgres", local=True), autocommit=True) as connection:
            row = connection.execute(statement.encode(), parameters).fetchone()
            return row[0] if row else None

    def _initialize(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        assert self.primary is not None
        known = replace(self.primary.secrets(), port=free_port())
        _write_private(self.state / "postgres-secrets.json", json.dumps(asdict(known)))
        self.data.mkdir(mode=0o700, parents=True)
        give_away(self.data)
        self._run(
            "pg_basebackup",
            f"--dbname={self.primary.url(SUPERUSER, 'postgres', local=True)}",
            f"--pgdata={self.data}",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--write-recovery-conf",
            "--no-sync",
        )

    def _bootstrap(self) -> None:
        """Its primary has done that."""


@contextmanager
def own_standby(primary: Server) -> Iterator[Standby]:
    """A standby of ``primary``, gone afterwards."""
    state = Path(tempfile.mkdtemp(prefix="headgate-standby-"))
    state.chmod(0o755)
    standby = Standby(state, durable=False, primary=primary)
    try:
        standby.up()
        yield standby
    finally:
        standby.down()
        shutil.rmtree(state, ignore_errors=True)
