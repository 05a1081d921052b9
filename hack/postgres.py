"""The embedded Postgres of the quick start and the tests.

Everything lies under one state directory: the data in ``postgres``, the generated passwords and the connection URLs in
files that only their owner may read. It listens on a Unix socket and, where asked to, on one more address besides the
loopback, for the networks that were named and no others.

    python -m hack.postgres up --state .local/test --listen 10.0.0.1 --allow 10.0.0.0/24
"""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql

from hack.ports import free_port
from hack.postgres_account import VERSION, account, give_away, is_closed, programs

DATABASE = "headgate"
SUPERUSER = "postgres"
MIGRATOR = "headgate_migrator"
RUNTIME = "headgate_runtime"
LONGEST_SOCKET_PATH = 100


@dataclass(frozen=True)
class Secrets:
    """What was generated when the data directory was made."""

    superuser: str
    migrator: str
    runtime: str
    port: int

    def password(self, login: str) -> str:
        return {SUPERUSER: self.superuser, MIGRATOR: self.migrator, RUNTIME: self.runtime}[login]


@dataclass(frozen=True)
class Server:
    """One embedded Postgres, running or not."""

    state: Path
    listen: str | None = None
    """Address for other machines and for pods; Unix socket only when None."""
    allow: tuple[str, ...] = ()
    """Networks in CIDR form that may connect to ``listen``."""
    durable: bool = True
    """Whether a commit survives the loss of power, and not only a crash. Tests do without, as it costs them time."""
    installed: Path | None = None
    """The folder of Postgres' programs; those that are embedded when None."""

    @property
    def data(self) -> Path:
        return (self.state / "postgres").resolve()

    @property
    def log(self) -> Path:
        return self.data.parent / "postgres.log"

    @property
    def socket_directory(self) -> Path:
        """Beside the data, or in the temporary directory where the path would be too long for a socket."""
        beside = self.data.parent / "postgres-socket"
        if len(str(beside)) + len("/.s.PGSQL.65535") <= LONGEST_SOCKET_PATH:
            return beside
        return Path(tempfile.gettempdir()) / f"headgate-{_digest(self.data)}"

    def secrets(self) -> Secrets:
        return Secrets(**json.loads((self.state / "postgres-secrets.json").read_text()))

    def url(self, login: str, database: str = DATABASE, *, local: bool = False) -> str:
        """The libpq URL for ``login``: over ``listen`` if there is one, unless ``local`` asks for the socket."""
        known = self.secrets()
        if self.listen and not local:
            host = f"[{self.listen}]" if ":" in self.listen else self.listen
            return f"postgresql://{login}:{known.password(login)}@{host}:{known.port}/{database}"
        directory = quote(str(self.socket_directory), safe="")
        return f"postgresql://{login}:{known.password(login)}@/{database}?host={directory}&port={known.port}"

    def pid(self) -> int | None:
        """The process id of this server's postmaster, or None when it does not run."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            ours = process.name().startswith("postgres") and Path(process.cwd()) == self.data
        except (OSError, ValueError, psutil.Error):
            return None
        return pid if ours and process.status() != psutil.STATUS_ZOMBIE else None

    def up(self) -> Server:
        """Bring it up. Running it again changes nothing, unless the description changed: then it restarts."""
        for network in self.allow:
            ipaddress.ip_network(network)
        self.state.mkdir(parents=True, exist_ok=True)
        self._initialize()
        changed = self._configure()
        if changed and self.pid() is not None:
            self._control("restart", "-m", "fast")
        elif self.pid() is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            self._control("start")
        self._bootstrap()
        _write_private(self.state / "database-url", self.url(RUNTIME) + "\n")
        _write_private(self.state / "database-migration-url", self.url(MIGRATOR) + "\n")
        return self

    def down(self) -> bool:
        """Stop it, and only it. Returns whether it ran."""
        if self.pid() is None:
            return False
        self._control("stop", "-m", "fast")
        return True

    def kill(self) -> None:
        """End it as a crash would: no clean-up, recovery at the next start."""
        pid = self.pid()
        if pid is not None:
            family = [psutil.Process(pid), *psutil.Process(pid).children()]
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
            psutil.wait_procs(family, timeout=10)

    def _initialize(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        target = self.state / "postgres"
        if not target.exists() and is_closed(self.state):
            # A directory such as /root is closed to the account that Postgres runs under, and stays so.
            outside = Path("/var/lib") / f"headgate-{_digest(self.state)}" / "postgres"
            outside.mkdir(parents=True, exist_ok=True)
            target.symlink_to(outside)
        superuser, migrator, runtime = (secrets.token_urlsafe(24) for _ in range(3))
        known = Secrets(superuser, migrator, runtime, free_port())
        _write_private(self.state / "postgres-secrets.json", json.dumps(asdict(known)))
        # A half-made directory, from an initdb that was interrupted, is of no use.
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700, parents=True)
        give_away(self.data)
        with tempfile.NamedTemporaryFile("w", prefix="headgate-") as password:
            password.write(known.superuser)
            password.flush()
            give_away(Path(password.name))
            self._run(
                "initdb",
                "--auth=scram-sha-256",
                f"--pwfile={password.name}",
                f"--username={SUPERUSER}",
                "--encoding=UTF8",
                "--no-locale",
                *([] if self.durable else ["--no-sync"]),
                f"--pgdata={self.data}",
            )

    def _configure(self) -> bool:
        """Write our part of the configuration. Returns whether it differs from what was there."""
        directory = self.socket_directory
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        give_away(directory)
        self.log.touch(mode=0o600)
        give_away(self.log)
        settings = {
            "listen_addresses": f"127.0.0.1,{self.listen}" if self.listen else "",
            "port": self.secrets().port,
            "unix_socket_directories": directory,
            "max_connections": 120,
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_error_statement": "panic",
            "log_parameter_max_length_on_error": 0,
        }
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        access = [
            f"local all {SUPERUSER} scram-sha-256",
            f"local replication {SUPERUSER} scram-sha-256",
            f"host all {SUPERUSER} all reject",
            "local all all scram-sha-256",
            "host all all 127.0.0.1/32 scram-sha-256",
            *([f"host all all {ipaddress.ip_network(self.listen)} scram-sha-256"] if self.listen else []),
            *(f"host all all {network} scram-sha-256" for network in self.allow),
        ]
        main = self.data / "postgresql.conf"
        include = "include = 'headgate.conf'\n"
        if include not in main.read_text():
            with main.open("a") as file:
                file.write(include)
        written = [
            _write_if_changed(self.data / "headgate.conf", "".join(f"{k} = '{v}'\n" for k, v in settings.items())),
            _write_if_changed(self.data / "pg_hba.conf", "\n".join(access) + "\n"),
        ]
        return any(written)

    def _bootstrap(self) -> None:
        """Create the database and the two logins, once."""
        known = self.secrets()
        with psycopg.connect(self.url(SUPERUSER, "postgres", local=True), autocommit=True) as connection:
            logins = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin")}
            for login, options in ((MIGRATOR, "CREATEROLE"), (RUNTIME, "NOINHERIT")):
                if login not in logins:
                    connection.execute(
                        sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}").format(
                            sql.Identifier(login), sql.SQL(options), known.password(login)
                        )
                    )
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(MIGRATOR))
                )

    def _control(self, action: str, *options: str) -> None:
        self._run("pg_ctl", action, "-w", "-t", "60", "-D", str(self.data), "-l", str(self.log), *options)

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of Postgres' programs. Its output goes to a file: a pipe would be held open by the server."""
        with tempfile.TemporaryFile() as output:
            user = account()
            code = subprocess.run(
                [str((self.installed or programs(self.data)) / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                check=False,
                user=user and user.pw_uid,
                group=user and user.pw_gid,
                extra_groups=user and (),
            ).returncode
            if code:
                output.seek(0)
                text = output.read().decode(errors="replace")
                raise RuntimeError(f"{program} {arguments[0]} ended with {code}; see {self.log}\n{text}")


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]


def _write_if_changed(path: Path, text: str) -> bool:
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    give_away(path)
    return True


def _write_private(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _remembered(server: Server) -> Server:
    """``server`` with what an earlier ``up`` was told, so that ``up`` alone restarts the same."""
    path = server.state / "postgres-options.json"
    if server.listen is None and not server.allow and path.exists():
        known = json.loads(path.read_text())
        return replace(server, listen=known["listen"], allow=tuple(known["allow"]))
    server.state.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"listen": server.listen, "allow": list(server.allow)}))
    return server


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hack.postgres", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("action", choices=["up", "down", "status"])
    parser.add_argument("--state", type=Path, required=True, help="directory for everything that is kept")
    parser.add_argument("--listen", help="address to listen on besides the loopback and the Unix socket")
    parser.add_argument("--allow", action="append", default=[], help="network (CIDR) that may connect; repeatable")
    options = parser.parse_args(arguments)
    server = _remembered(Server(options.state.absolute(), options.listen, tuple(options.allow)))
    if options.action == "up":
        server.up()
        print(f"Postgres {VERSION} runs (pid {server.pid()}); its URL is in {server.state / 'database-url'}")
        return 0
    if options.action == "down":
        print("Postgres stopped" if server.down() else "Postgres did not run")
        return 0
    pid = server.pid()
    print(f"Postgres {VERSION} runs (pid {pid})" if pid else "Postgres does not run")
    return 0 if pid else 1


if __name__ == "__main__":
    sys.exit(main())
