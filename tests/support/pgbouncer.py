"""A PgBouncer of a test's own, which gives each transaction whatever connection is free."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from hack.postgres import MIGRATOR, RUNTIME, SUPERUSER, Server
from hack.postgres_account import account, give_away
from tests.support.waiting import until

_PORT = 6432
_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


@dataclass(frozen=True)
class PgBouncer:
    """Listens on a Unix socket, in transaction mode."""

    folder: Path
    server: Server
    connections: int
    """To Postgres at most, for each login and database."""

    def url(self, database: str, login: str = RUNTIME) -> str:
        """The libpq URL of a login through it."""
        password = self.server.secrets().password(login)
        return f"postgresql://{login}:{password}@/{database}?host={quote(str(self.folder), safe='')}&port={_PORT}"

    def configure(self) -> Path:
        """Write what it is told."""
        known = self.server.secrets()
        users = self.folder / "users"
        users.write_text("".join(f'"{login}" "{known.password(login)}"\n' for login in (RUNTIME, MIGRATOR, SUPERUSER)))
        settings = {
            "listen_addr": "",
            "listen_port": _PORT,
            "unix_socket_dir": self.folder,
            "auth_type": "scram-sha-256",
            "auth_file": users,
            "pool_mode": "transaction",
            "default_pool_size": self.connections,
            "max_client_conn": 200,
            # It would leave Postgres alone for 15 seconds after a login that was cut off.
            "server_login_retry": 1,
            "logfile": self.folder / "pgbouncer.log",
        }
        path = self.folder / "pgbouncer.ini"
        path.write_text(
            f"[databases]\n* = host={self.server.socket_directory} port={known.port}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in settings.items())
        )
        for each in (self.folder, users, path):
            give_away(each)
        return path


@contextmanager
def own_pgbouncer(server: Server, *, connections: int = 3) -> Iterator[PgBouncer]:
    """One in front of ``server``, gone afterwards."""
    program = shutil.which("pgbouncer", path=_PATH)
    assert program is not None, "pgbouncer is missing: python3 -m hack.packages test"
    folder = Path(tempfile.mkdtemp(prefix="headgate-pgbouncer-"))
    made = PgBouncer(folder, server, connections)
    user = account()
    process = subprocess.Popen(
        [program, "--quiet", str(made.configure())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user and user.pw_uid,
        group=user and user.pw_gid,
        extra_groups=user and (),
    )
    try:
        until(lambda: _answers(made), every=0.02, what="an answer of PgBouncer")
        yield made
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(bouncer: PgBouncer) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(bouncer.url("postgres", SUPERUSER)) as connection:
        return connection.execute("SELECT true").fetchone() == (True,)
    return False
