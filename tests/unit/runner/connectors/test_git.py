"""Repositories of a real server of this machine, which speaks git's own protocol over HTTP."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from dulwich.index import commit_tree
from dulwich.objects import Blob, Commit
from dulwich.refs import Ref
from dulwich.repo import MemoryRepo
from dulwich.server import BackendRepo, DictBackend
from dulwich.web import make_wsgi_chain

from headgate.api.connectors import Git
from headgate.runner.connectors import git
from headgate.runner.connectors.reach import Reach
from headgate.runner.errors import NodeFailed
from tests.unit.runner.connectors.nodes import INTERNET, REACH, answering, connector, hidden
from tests.unit.runner.tasks import HERE, a_task, an_executor, secrets

MAIN = Ref(b"refs/heads/main")
TOKEN = "very-secret-token"


@dataclass
class Host:
    """A host of one repository, which wants a login where there is one."""

    repo: MemoryRepo
    port: int = 0
    login: str | None = None

    def url(self, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/site.git"

    def commit(self, files: dict[str, str]) -> str:
        """A commit on top of the branch, of these files and no others."""
        blobs = {name: Blob.from_string(text.encode()) for name, text in files.items()}
        for blob in blobs.values():
            self.repo.object_store.add_object(blob)
        made = Commit()
        made.tree = commit_tree(
            self.repo.object_store, [(name.encode(), each.id, 0o100644) for name, each in blobs.items()]
        )
        made.parents = [self.repo.refs[MAIN]] if MAIN in self.repo.refs else []
        made.author = made.committer = b"Alice <alice@example.com>"
        made.author_time = made.commit_time = 1_770_000_000
        made.author_timezone = made.commit_timezone = 0
        made.message = b"as it was"
        self.repo.object_store.add_object(made)
        self.repo.refs[MAIN] = made.id
        return str(made.id.decode())

    @property
    def newest(self) -> Commit:
        found = self.repo[MAIN]
        assert isinstance(found, Commit)
        return found


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host(MemoryRepo())
    made.repo.refs.set_symbolic_ref(Ref(b"HEAD"), MAIN)
    inner = make_wsgi_chain(DictBackend(cast("dict[str, BackendRepo]", {"/site.git": made.repo})))

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        wanted = made.login and f"Basic {base64.b64encode(made.login.encode()).decode()}"
        if wanted and environ.get("HTTP_AUTHORIZATION") != wanted:
            start_response("401 Unauthorized", [("WWW-Authenticate", "Basic")])
            return [b""]
        answer: Iterable[bytes] = inner(environ, start_response)
        return answer

    server = make_server("127.0.0.1", 0, application, handler_class=_Quiet)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def node(url: str, **members: Any) -> Git:
    made = connector("git", url=url, **members).git
    assert made is not None
    return made


def reading(*paths: str) -> dict[str, Any]:
    return {"read": {"paths": list(paths)}}


def pushing(**files: str | None) -> dict[str, Any]:
    listed = [{"path": path, **({} if text is None else {"content": text})} for path, text in files.items()]
    return {"push": {"message": "Change it", "author": "Ops <ops@example.com>", "files": listed}}


async def test_files_of_the_newest_commit_are_read(host: Host) -> None:
    host.commit({"a.txt": "old"})
    newest = host.commit({"a.txt": "new", "docs/b.txt": "Größe"})

    output = await git.execute(node(host.url(), **reading("a.txt", "docs/b.txt")), secrets(), REACH)

    assert output == {"commit": newest, "files": {"a.txt": "new", "docs/b.txt": "Größe"}}


async def test_files_are_committed_on_top_and_pushed(host: Host) -> None:
    before = host.commit({"kept": "1", "changed": "1", "gone": "1"})
    given = pushing(changed="2", gone=None, **{"docs/new": "3"})

    output = await git.execute(node(host.url(), **given), secrets(), REACH)

    assert output == {"commit": host.newest.id.decode(), "changed": True}
    assert host.newest.parents == [before.encode()]
    assert (host.newest.author, host.newest.message) == (b"Ops <ops@example.com>", b"Change it")
    read = await git.execute(node(host.url(), **reading("kept", "changed", "docs/new")), secrets(), REACH)
    assert read["files"] == {"kept": "1", "changed": "2", "docs/new": "3"}
    with pytest.raises(NodeFailed, match="there is no file gone"):
        await git.execute(node(host.url(), **reading("gone")), secrets(), REACH)


async def test_what_is_as_it_should_be_makes_no_commit(host: Host) -> None:
    newest = host.commit({"a": "1"})

    output = await git.execute(node(host.url(), **pushing(a="1", b=None)), secrets(), REACH)

    assert output == {"commit": newest, "changed": False}
    assert host.newest.id.decode() == newest


async def test_a_login_is_shown_and_a_wrong_one_told_without_it(host: Host) -> None:
    host.commit({"a": "1"})
    host.login = f"git:{TOKEN}"
    given = node(host.url(), **reading("a"), password=hidden("git"))

    assert (await git.execute(given, secrets(git=f"{TOKEN}\n"), REACH))["files"] == {"a": "1"}
    work = {"connector": {"git": given.to_wire()}}
    result = await an_executor(git="wrong-secret").execute(a_task(work))

    assert (result.reason, result.message) == ("GitLogin", "127.0.0.1 refused the login")


async def test_the_name_is_resolved_once_and_the_checked_address_connected_to(host: Host) -> None:
    host.commit({"a": "1"})
    always = Reach(HERE, lambda *_: answering("127.0.0.1")("", 0))

    assert await git.execute(node(host.url("git.example"), **reading("a")), secrets(), always)


@pytest.mark.parametrize("members", [reading("a"), pushing(a="2")])
async def test_an_address_of_this_machine_is_refused_unless_allowed(host: Host, members: dict[str, Any]) -> None:
    host.commit({"a": "1"})

    with pytest.raises(NodeFailed, match="may not be reached") as failure:
        await git.execute(node(host.url(), **members), secrets(), INTERNET)

    assert failure.value.reason == "ConnectorAddress"


async def test_what_is_not_there_is_named(host: Host) -> None:
    host.commit({"a": "1"})

    with pytest.raises(NodeFailed, match="there is no branch next"):
        await git.execute(node(host.url(), branch="next", **reading("a")), secrets(), REACH)
    with pytest.raises(NodeFailed, match="no such repository"):
        await git.execute(node(host.url().replace("site", "other"), **reading("a")), secrets(), REACH)


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a//b", ".git/config", "a/.git/hooks"])
async def test_paths_stay_in_the_repository(host: Host, path: str) -> None:
    host.commit({"a": "1"})

    with pytest.raises(NodeFailed, match="write paths below"):
        await git.execute(node(host.url(), **reading(path)), secrets(), REACH)
