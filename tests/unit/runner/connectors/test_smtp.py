"""Mail against a real server of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from headgate.api.connectors import Smtp
from headgate.runner.connectors import smtp
from headgate.runner.connectors.reach import Reach
from headgate.runner.errors import NodeFailed
from tests.unit.runner.connectors.nodes import INTERNET, REACH, answering, connector, hidden
from tests.unit.runner.tasks import HERE, RUN, secrets


@dataclass
class Mailbox:
    """What came, and who is not taken."""

    port: int = 0
    mails: list[tuple[list[str], Message]] = field(default_factory=list)
    unknown: frozenset[str] = frozenset()

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.unknown:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        made.port = free.getsockname()[1]
    controller = Controller(made, hostname="127.0.0.1", port=made.port)
    controller.start()
    yield made
    controller.stop()


def node(port: int, **members: Any) -> Smtp:
    given = {
        "host": "127.0.0.1",
        "port": port,
        "security": "None",
        "sender": "Headgate <ops@example.com>",
        "to": ["Alice <alice@example.com>"],
        "subject": "Größe",
        "text": "All is well.",
        **members,
    }
    made = connector("smtp", **given).smtp
    assert made is not None
    return made


async def test_a_mail_arrives_with_an_id_that_is_the_same_for_every_attempt(mailbox: Mailbox) -> None:
    first = await smtp.execute(node(mailbox.port, cc=["bob@example.com"]), secrets(), REACH, RUN, "tell")
    again = await smtp.execute(node(mailbox.port, cc=["bob@example.com"]), secrets(), REACH, RUN, "tell")

    [(recipients, mail), _] = mailbox.mails
    assert recipients == ["alice@example.com", "bob@example.com"]
    assert (mail["From"], mail["Cc"]) == ("Headgate <ops@example.com>", "bob@example.com")
    assert str(mail.get_payload()).strip() == "All is well."
    assert first == again == {"messageId": f"<{RUN}.tell@example.com>", "refused": []}
    assert mail["Message-ID"] == first["messageId"]


async def test_addresses_that_are_refused_are_named_and_the_others_get_it(mailbox: Mailbox) -> None:
    mailbox.unknown = frozenset({"bob@example.com"})

    output = await smtp.execute(node(mailbox.port, cc=["bob@example.com"]), secrets(), REACH, RUN, "tell")

    assert output["refused"] == ["bob@example.com"]
    mailbox.unknown |= {"alice@example.com"}
    with pytest.raises(NodeFailed, match="took none of the addresses"):
        await smtp.execute(node(mailbox.port), secrets(), REACH, RUN, "tell")


async def test_the_name_is_resolved_once_and_the_checked_address_connected_to(mailbox: Mailbox) -> None:
    reach = Reach(HERE, answering("127.0.0.1"))

    await smtp.execute(node(mailbox.port, host="mail.example"), secrets(), reach, RUN, "tell")

    assert len(mailbox.mails) == 1


async def test_an_address_of_this_machine_is_refused_unless_allowed(mailbox: Mailbox) -> None:
    with pytest.raises(NodeFailed, match="may not be reached") as failure:
        await smtp.execute(node(mailbox.port), secrets(), INTERNET, RUN, "tell")

    assert failure.value.reason == "ConnectorAddress"


async def test_a_password_goes_over_no_connection_in_the_clear(mailbox: Mailbox) -> None:
    login = {"username": "ops", "password": hidden("mail")}
    clear, encrypted = (node(mailbox.port, **login, security=security) for security in ("None", "StartTls"))
    login = {"username": "ops", "password": hidden("mail")}
    clear, encrypted = (node(mailbox.port, **login, security=security) for security in ("None", "StartTls"))
    with pytest.raises(NodeFailed, match="set security to StartTls or Tls"):
        await smtp.execute(clear, secrets(mail="hunter22"), REACH, RUN, "tell")
    with pytest.raises(NodeFailed) as failure:
        await smtp.execute(encrypted, secrets(mail="hunter22"), REACH, RUN, "tell")

    assert (failure.value.reason, mailbox.mails) == ("ConnectorConnection", [])


@pytest.mark.parametrize("members", [{"subject": "a\r\nBcc: eve@example.com"}, {"to": ["a@b.c\nX: y"]}])
async def test_no_value_becomes_a_header_of_its_own(mailbox: Mailbox, members: dict[str, Any]) -> None:
    with pytest.raises(NodeFailed, match="holds the end of a line"):
        await smtp.execute(node(mailbox.port, **members), secrets(), REACH, RUN, "tell")
