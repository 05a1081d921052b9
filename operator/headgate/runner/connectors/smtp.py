"""Mail, handed to a server."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import formatdate, getaddresses, parseaddr
from typing import Any
from uuid import UUID

from headgate.api.connectors import Smtp
from headgate.runner import http
from headgate.runner.connectors.hidden import value_of
from headgate.runner.connectors.reach import CONNECTION, Reach
from headgate.runner.errors import NodeFailed
from headgate.runner.secrets import Secrets

_ANSWER_SECONDS = 60.0
_SHOWN = 256
_NAME = "headgate"
"""What the runner calls itself: its pod's name would tell of the cluster."""


async def execute(node: Smtp, secrets: Secrets, reach: Reach, run_id: UUID, node_id: str) -> Any:
    """The output of the node, ``{messageId, refused}``. Raises ``NodeFailed``."""
    import aiosmtplib

    password = _password(node, secrets)
    message = _message(node, run_id, node_id)
    recipients = [address for _, address in getaddresses([*node.to, *node.cc])]
    server = aiosmtplib.SMTP(
        hostname=node.host,
        sock=await reach.connect(node.host, node.port),
        local_hostname=_NAME,
        timeout=_ANSWER_SECONDS,
        use_tls=node.security == "Tls",
        start_tls=node.security == "StartTls",
        tls_context=http.trust() if node.security != "None" else None,
        username=node.username,
        password=password,
    )
    try:
        async with server:
            refused, _ = await server.send_message(message, recipients=recipients)
    except aiosmtplib.SMTPRecipientsRefused:
        raise NodeFailed("SmtpRefused", f"{node.host} took none of the addresses") from None
    except aiosmtplib.SMTPAuthenticationError as error:
        raise NodeFailed("SmtpLogin", f"{node.host} refused the login: {error.code}") from None
    except aiosmtplib.SMTPResponseException as error:
        raise NodeFailed("SmtpRefused", f"{node.host} answered {error.code}: {error.message[:_SHOWN]}") from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise NodeFailed(CONNECTION, f"{node.host} gave no answer: {type(error).__name__}") from None
    return {"messageId": message["Message-ID"], "refused": sorted(refused)}


def _password(node: Smtp, secrets: Secrets) -> str | None:
    if (node.username is None) != (node.password is None):
        raise NodeFailed("InvalidRequest", "set username and password, or neither")
    if node.password is None:
        return None
    if node.security == "None":
        raise NodeFailed("InvalidRequest", "a password is sent encrypted only: set security to StartTls or Tls")
    return value_of(node.password, secrets)


def _message(node: Smtp, run_id: UUID, node_id: str) -> EmailMessage:
    message = EmailMessage()
    try:
        message["From"] = node.sender
        message["To"] = ", ".join(node.to)
        if node.cc:
            message["Cc"] = ", ".join(node.cc)
        message["Subject"] = node.subject
        message["Date"] = formatdate()
        _, _, domain = parseaddr(node.sender)[1].partition("@")
        message["Message-ID"] = f"<{run_id}.{node_id}@{domain or _NAME}>"
        message.set_content(node.text)
    except (ValueError, UnicodeError, IndexError):
        raise NodeFailed("InvalidRequest", "an address is none, or it or the subject holds the end of a line") from None
    return message
