"""Credentials as tests speak of them: workspaces that keep some, and attempts that are to be given them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from headgate.domain.credentials import Values
from headgate.domain.envelope import KeyRing
from headgate.engine.credentials.credentials import Credentials
from headgate.engine.credentials.types import CredentialView
from headgate.engine.engine import Engine
from headgate.engine.types import TaskRef
from headgate.store.database import Database
from tests.builders import a_workflow
from tests.component.world import KEYS, World

OLD = KEYS
OLD_KEY, NEW_KEY = OLD.keys["2026-01"], bytes(range(100, 132))
BOTH = KeyRing("2026-03", {"2026-03": NEW_KEY, "2026-01": OLD_KEY})
NEW = KeyRing("2026-03", {"2026-03": NEW_KEY})
LEASE = timedelta(seconds=15)
PASSWORD = "correct-horse-battery-staple"


def naming(*credentials: str) -> dict[str, Any]:
    """A script node's config that names credentials, the key ``password`` of each."""
    env = [
        {"name": f"V{index}", "valueFrom": {"credentialKeyRef": {"name": name, "key": "password"}}}
        for index, name in enumerate(credentials)
    ]
    return {"script": {"language": "shell", "source": "true", "env": env}}


@dataclass
class Vault:
    """A world whose engine was given key-encryption keys."""

    world: World
    keys: KeyRing = OLD

    def __post_init__(self) -> None:
        self.credentials = self.held_by(self.keys)

    def held_by(self, keys: KeyRing | None, database: Database | None = None) -> Credentials:
        """The credentials as a process with those key-encryption keys has them."""
        database = database or self.world.database
        return Engine(database, self.world.expressions, clock=self.world.clock, keys=keys).credentials

    async def put(
        self, name: str = "shop", password: str = PASSWORD, workspace: str = "acme", **members: Any
    ) -> CredentialView:
        """Put a credential with the key ``password``."""
        given: dict[str, Any] = {"kind": "login", "values": Values({"password": password}), "by": "alice"}
        return await self.credentials.put(self.world.ids[workspace], name, **given | members)

    async def given_attempt(
        self, *credentials: str, workspace: str = "acme", holder: str = "pod-1", workflow: str = "nightly"
    ) -> TaskRef:
        """An attempt of a node that names the credentials, claimed by a holder."""
        await self.world.given(a_workflow(workflow).with_node("work", naming(*credentials)), workspace)
        run = await self.world.admit(workflow, workspace)
        task, _ = await self.world.engine.runner_tasks.claim(self.world.ids[workspace], "acme", run, holder, LEASE)
        assert task is not None
        return task.ref

    async def released(
        self, ref: TaskRef, *names: str, holder: str = "pod-1", by: Credentials | None = None
    ) -> Mapping[str, Mapping[str, str]]:
        """What the holder is given."""
        found = await (by or self.credentials).release(ref, names, holder)
        return {name: values.by_key for name, values in found.items()}

    async def recorded(self) -> list[dict[str, Any]]:
        """Every release of any workspace, in order."""
        return await self.world.rows("SELECT * FROM headgate.credential_releases ORDER BY id")

    async def data_keys(self) -> list[dict[str, Any]]:
        """Every data key of any workspace, the oldest first."""
        return await self.world.rows("SELECT * FROM headgate.data_keys ORDER BY created_at, id")
