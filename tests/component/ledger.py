"""Audit logs as tests speak of them: what is in one, and somebody who gets at the tables past everything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import psycopg

from headgate.domain.audit import Act, Action, Actor, ActorKind, Entry, hash_of
from headgate.domain.audit_chain import Finding
from headgate.domain.audit_keys import PublicKeys, SigningKeys
from headgate.engine.audit_log import Verified
from tests.component.world import World

SIGNING = SigningKeys("2026-01", {"2026-01": bytes(range(32))})
PUBLIC = SIGNING.public()
ALICE = Actor(ActorKind.USER, "alice", "Kubernetes token")


@dataclass
class Ledger:
    """The audit logs of a world."""

    world: World

    async def given_entries(self, count: int, workspace: str = "acme") -> None:
        """That many things that alice did."""
        for number in range(count):
            act = Act(ALICE, Action.KEY_CREATE, f"key/{number}", {"name": "ci"})
            await self.world.engine.audit.note(self.world.ids[workspace], act)

    async def sign(self) -> int:
        return await self.world.engine.audit.sign(SIGNING)

    async def entries(self, workspace: str = "acme") -> list[Entry]:
        """All entries, in order."""
        pages = [page async for page in self.world.engine.audit.in_order(self.world.ids[workspace])]
        return [entry for page in pages for entry in page]

    async def told(self, workspace: str = "acme") -> list[tuple[str, str, str]]:
        """Action, actor and object of what is not of the Workspace itself."""
        entries = await self.entries(workspace)
        return [(each.action, each.actor_name, each.object) for each in entries if each.actor_kind != "kubernetes"]

    async def last(self, workspace: str = "acme") -> Entry:
        return (await self.entries(workspace))[-1]

    async def detail(self, workspace: str = "acme") -> dict[str, Any]:
        """That of the newest entry."""
        found: dict[str, Any] = json.loads((await self.last(workspace)).detail)
        return found

    async def verified(self, workspace: str = "acme", keys: PublicKeys | None = PUBLIC) -> Verified:
        return await self.world.engine.audit.verify(self.world.ids[workspace], workspace, keys)

    async def finding(self, workspace: str = "acme", keys: PublicKeys | None = PUBLIC) -> Finding | None:
        return (await self.verified(workspace, keys)).finding

    async def of_rounds(
        self, expected: tuple[int, bytes] | None = None, keys: PublicKeys | None = PUBLIC
    ) -> Finding | None:
        return (await self.world.engine.audit.verify_rounds(keys, expected))[1]

    async def tamper(self, statement: str, *parameters: Any) -> None:
        """Change tables as a superuser who knows about triggers."""
        connection = await psycopg.AsyncConnection.connect(self.world.superuser_url)
        async with connection:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute(statement.encode(), parameters)

    async def restamp(self, workspace: str = "acme") -> None:
        """Make all hashes of a log anew so that they fit what it says, those of its head too."""
        previous = bytes(32)
        workspace_id = self.world.ids[workspace]
        for number, entry in enumerate(await self.entries(workspace), start=1):
            # As Postgres has them, whatever the class under test does.
            micros = round(entry.at.timestamp() * 1_000_000).to_bytes(8, signed=True)
            says = (entry.actor_kind, entry.actor_name, entry.actor_via, entry.action, entry.object, entry.outcome)
            made = hash_of(
                b"headgate/audit-entry/1",
                workspace_id.bytes,
                number.to_bytes(8),
                micros,
                *says,
                entry.detail,
                previous,
            )
            await self.tamper(
                "UPDATE headgate.audit_log SET sequence = %s, previous_hash = %s, hash = %s"
                " WHERE workspace_id = %s AND sequence = %s",
                number,
                previous,
                made,
                workspace_id,
                entry.sequence,
            )
            previous = made
        await self.tamper(
            "UPDATE headgate.audit_heads SET sequence = %s, hash = %s WHERE workspace_id = %s",
            number,
            previous,
            workspace_id,
        )
