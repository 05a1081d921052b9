"""Files of repositories, by dulwich, in memory and through a door."""

from __future__ import annotations

import stat
import time
from collections.abc import Mapping
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from headgate.api.connectors import Git, GitPush, GitRead
from headgate.engine.bounds import OUTPUT_BYTES
from headgate.runner import http
from headgate.runner.connectors import door
from headgate.runner.connectors.door import Door
from headgate.runner.connectors.hidden import value_of
from headgate.runner.connectors.reach import CONNECT_SECONDS, CONNECTION, Reach
from headgate.runner.connectors.threads import in_thread
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Secrets

if TYPE_CHECKING:
    from dulwich.objects import ObjectID
    from dulwich.refs import Ref
    from urllib3 import ProxyManager

MOST_BYTES = 33_554_432
"""The newest commit of a repository, compressed: it is held in memory."""
_ANSWER_SECONDS = 60.0
_REJECTED = "GitRejected"


async def execute(node: Git, secrets: Secrets, reach: Reach) -> Any:
    """The output of the node. Raises ``NodeFailed``."""
    url = str(http.url_of(node.url))
    password = value_of(node.password, secrets) if node.password is not None else None
    async with door.opened(reach, MOST_BYTES) as opened:
        return await in_thread(lambda: _done(node, url, password, opened), opened.cut)


def _done(node: Git, url: str, password: str | None, opened: Door) -> Any:
    from dulwich.client import HTTPUnauthorized
    from dulwich.errors import GitProtocolError, HangupException, NotGitRepository, SendPackError

    host = urlsplit(url).hostname
    remote = _Remote(node, url, password, opened)
    try:
        if node.read is not None:
            return remote.read(node.read)
        if node.push is not None:
            return remote.push(node.push)
    except HTTPUnauthorized:
        raise NodeFailed("GitLogin", f"{host} refused the login") from None
    except NotGitRepository:
        raise opened.refused or NodeFailed("GitMissing", f"{host} has no such repository") from None
    except SendPackError:
        raise opened.refused or NodeFailed(_REJECTED, f"{host} did not take the commit") from None
    except (GitProtocolError, HangupException, OSError) as error:
        raise opened.refused or NodeFailed(
            CONNECTION, f"{host} gave no answer that can be used: {type(error).__name__}"
        ) from None
    finally:
        remote.close()
    raise NodeFailed("InvalidTask", "this runner does not know what the node asks for")


class _Pool:
    """Connections, all of which can be closed: the library leaves answers open that it did not like."""

    def __init__(self, pool: Any) -> None:
        self.headers: Mapping[str, str] = pool.headers
        self._pool = pool
        self._answers: list[Any] = []

    def request(self, method: str, url: str, **more: Any) -> Any:
        answer = self._pool.request(method, url, **more)
        self._answers.append(answer)
        return answer

    def close(self) -> None:
        for answer in self._answers:
            answer.close()
        self._pool.clear()


class _Remote:
    """A branch of a repository, its newest commit fetched when something of it is wanted. Blocks."""

    def __init__(self, node: Git, url: str, password: str | None, opened: Door) -> None:
        from dulwich.client import Urllib3HttpGitClient
        from dulwich.repo import MemoryRepo
        from urllib3 import ProxyManager, Timeout

        self._branch = cast("Ref", f"refs/heads/{node.branch}".encode())
        self._path = urlsplit(url).path
        self._repo = MemoryRepo()
        self._pool = _Pool(
            ProxyManager(
                opened.url,
                timeout=Timeout(connect=CONNECT_SECONDS, read=_ANSWER_SECONDS),
                retries=False,
                ssl_context=http.trust(),
                headers={"User-Agent": "git/headgate"},
            )
        )
        parts = urlsplit(url)
        self._client = Urllib3HttpGitClient(
            f"{parts.scheme}://{parts.netloc}/",
            dumb=False,
            pool_manager=cast("ProxyManager", self._pool),
            username=node.username if password is not None else None,
            password=password,
            quiet=True,
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def read(self, wanted: GitRead) -> Any:
        """Files of the newest commit."""
        commit = self._fetched()
        files, size = {}, 0
        for path in wanted.paths:
            found = self._file(commit.tree, path)
            if found is None:
                raise NodeFailed("GitMissing", f"there is no file {path} in the newest commit")
            size += len(found)
            if size > OUTPUT_BYTES:
                raise NodeFailed("TooLarge", f"the files have more than {OUTPUT_BYTES} bytes")
            files[path] = _text(path, found)
        return {"commit": commit.id.decode(), "files": files}

    def push(self, wanted: GitPush) -> Any:
        """Files that are written or deleted, in a commit on top of the newest one."""
        from dulwich.object_store import commit_tree_changes
        from dulwich.objects import Blob, Commit
        from dulwich.pack import pack_objects_to_data

        before = self._fetched()
        store = self._repo.object_store
        known = set(store)
        changes: list[tuple[bytes, int | None, ObjectID | None]] = []
        for file in wanted.files:
            path = _checked(file.path)
            there = self._file(before.tree, file.path)
            if file.content is None:
                if there is not None:
                    changes.append((path, None, None))
            elif there != file.content.encode():
                blob = Blob.from_string(file.content.encode())
                store.add_object(blob)
                changes.append((path, stat.S_IFREG | 0o644, blob.id))
        if not changes:
            return {"commit": before.id.decode(), "changed": False}
        commit = Commit()
        commit.tree = commit_tree_changes(store, before.tree, changes)
        commit.parents = [before.id]
        commit.author = commit.committer = _author(wanted.author)
        commit.author_time = commit.commit_time = int(time.time())
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding = b"UTF-8"
        commit.message = wanted.message.encode()
        store.add_object(commit)
        made = [store[each] for each in set(store) - known]

        def pack(have: Any, want: Any, *, ofs_delta: bool = True, progress: Any = None) -> Any:
            return pack_objects_to_data(made)

        def update(refs: dict[Ref, ObjectID]) -> dict[Ref, ObjectID]:
            if refs.get(self._branch) != before.id:
                raise NodeFailed(_REJECTED, "the branch has moved meanwhile: try again")
            return {self._branch: commit.id}

        result = self._client.send_pack(self._path, update, pack)
        if refused := (result.ref_status or {}).get(self._branch):
            raise NodeFailed(_REJECTED, f"the branch was not moved: {refused[:128]}")
        return {"commit": commit.id.decode(), "changed": True}

    def _fetched(self) -> Any:
        def wants(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
            return [refs[self._branch]] if self._branch in refs else []

        found = self._client.fetch(self._path, self._repo, determine_wants=wants, depth=1)
        newest = found.refs.get(self._branch)
        if newest is None:
            raise NodeFailed("GitMissing", f"there is no branch {self._branch.decode().removeprefix('refs/heads/')}")
        return self._repo[newest]

    def _file(self, tree: ObjectID, path: str) -> bytes | None:
        from dulwich.object_store import tree_lookup_path
        from dulwich.objects import Blob

        try:
            _, found = tree_lookup_path(self._repo.object_store.__getitem__, tree, _checked(path))
        except (KeyError, NotADirectoryError):
            return None
        item = self._repo[found]
        if not isinstance(item, Blob):
            raise NodeFailed("GitMissing", f"{path} is a folder, or another repository")
        return bytes(item.data)


def _checked(path: str) -> bytes:
    if path.startswith("/") or any(part in ("", ".", "..", ".git") for part in path.split("/")):
        raise NodeFailed("InvalidRequest", "write paths below the repository's root, such as docs/index.md")
    return path.encode()


def _author(text: str) -> bytes:
    name, address = parseaddr(text)
    if not address or any(each in text for each in "\n\0"):
        raise NodeFailed("InvalidRequest", "write the author as Name <address>")
    return f"{name or address} <{address}>".encode()


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise NodeFailed("InvalidOutput", f"{path} is no text in UTF-8") from None
