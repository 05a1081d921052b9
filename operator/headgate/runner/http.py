"""``http`` nodes: one request, followed to where its redirects lead."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx

from headgate.api.builtin import Header, Http
from headgate.runner.answer import Answer
from headgate.runner.errors import NodeFailed
from headgate.runner.exchange import NotConnectedError, Tls, encoded, exchange
from headgate.runner.networks import Networks, Resolve, checked, system_resolve
from headgate.runner.secrets import Secrets

BODY_BYTES = 65_536
"""An answer that is longer is refused rather than read: its output could not be kept."""
_SHOWN = 256
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "upgrade"})
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AS_GET = frozenset({301, 302, 303})
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Request:
    """One request, before its redirects."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    secret: frozenset[str]
    """Names of headers that another origin must not see."""
    body: bytes | None


async def execute(node: Http, secrets: Secrets, networks: Networks, *, resolve: Resolve = system_resolve) -> Any:
    """The output of the node, ``{status, headers, body}``. Raises ``NodeFailed``."""
    request = _first(node, secrets)
    for _ in range(node.max_redirects + 1):
        status, headers, body = await send(request, networks, resolve)
        target = headers.get("location")
        if status not in _REDIRECTS or target is None or status in node.expect_status:
            return _output(node, request, status, headers, body, secrets)
        request = _redirected(request, status, target)
    raise NodeFailed("HttpRedirects", f"there were more than {node.max_redirects} redirects")


@cache
def trust() -> ssl.SSLContext:
    """Whom requests trust. It takes longer to make than most requests, and is the same for all."""
    return httpx.create_ssl_context(trust_env=False)


def _first(node: Http, secrets: Secrets) -> Request:
    headers, secret = headers_of(node.headers, secrets)
    body = node.body.encode() if node.body is not None else None
    return Request(node.method, url_of(node.url), headers, secret, body)


def headers_of(given: Iterable[Header], secrets: Secrets) -> tuple[dict[str, str], frozenset[str]]:
    """The headers, and the names of those that another origin must not see. Raises ``NodeFailed``."""
    headers: dict[str, str] = {}
    secret = set(_CREDENTIALS)
    for header in given:
        name = header.name.lower()
        if name in _OURS:
            raise NodeFailed("InvalidRequest", f"the header {header.name} cannot be set")
        if (ref := header.secret_key_ref or header.credential_key_ref) is not None:
            secret.add(name)
            # Files that Secrets are made from end with a line's end, which no header can hold.
            headers[name] = secrets.value(ref).strip()
        else:
            headers[name] = header.value or ""
    return headers, frozenset(secret)


def url_of(text: str) -> httpx.URL:
    """The url. Raises ``NodeFailed``, and does not show it."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise NodeFailed("InvalidRequest", "the url cannot be read") from None
    if url.scheme not in _PORTS or not url.host:
        raise NodeFailed("InvalidRequest", "the url must begin with https:// or http:// and name a host")
    if url.userinfo:
        raise NodeFailed("InvalidRequest", "the url must not hold a user and password: use a header with secretKeyRef")
    return url


async def send(
    request: Request, networks: Networks, resolve: Resolve, *, most_bytes: int = BODY_BYTES
) -> tuple[int, dict[str, str], bytes]:
    """The answer to one request: status, headers, and a body of ``most_bytes`` at most. Raises ``NodeFailed``.

    It goes out on a connection of its own, past every proxy, and once: also where its connection breaks off before the
    answer and its method could be repeated.
    """
    url = request.url
    host, port = url.host, url.port or _PORTS[url.scheme]
    headers = {
        "host": url.netloc.decode("ascii"),
        "user-agent": "headgate",
        "accept": "*/*",
        **request.headers,
        # What is compressed has no length that could be bounded before it is unpacked.
        "accept-encoding": "identity",
    }
    sent = encoded(request.method, url.raw_path, headers, request.body)
    tls = Tls(trust(), host) if url.scheme == "https" else None
    why = "no address"
    for address in await checked(host, port, networks, resolve):
        answer = Answer(host, bodiless=request.method == "HEAD", most_bytes=most_bytes)
        try:
            await exchange(sent, address, port, tls, answer)
        except NotConnectedError as error:
            why = str(error)
        else:
            return answer.status, answer.headers, bytes(answer.body)
    raise NodeFailed("HttpConnection", f"could not connect to {host}: {why}")


def _redirected(request: Request, status: int, target: str) -> Request:
    try:
        url = url_of(str(request.url.join(target)))
    except httpx.InvalidURL:
        raise NodeFailed("HttpRedirects", "a redirect leads to what is no url") from None
    headers = dict(request.headers)
    if _origin(url) != _origin(request.url):
        headers = {name: value for name, value in headers.items() if name not in request.secret}
    if status in _AS_GET and request.method not in ("GET", "HEAD"):
        headers.pop("content-type", None)
        return replace(request, method="GET", url=url, headers=headers, body=None)
    return replace(request, url=url, headers=headers)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or _PORTS[url.scheme]


def _output(
    node: Http, request: Request, status: int, headers: dict[str, str], body: bytes, secrets: Secrets
) -> dict[str, Any]:
    expected = (
        status in node.expect_status if node.expect_status else HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
    )
    text = body.decode("utf-8", "replace")
    if not expected:
        said = f": {secrets.redactor().text(text)[:_SHOWN]}" if text.strip() else ""
        raise NodeFailed("HttpStatus", f"{request.url.host} answered {status}{said}")
    return {"status": status, "headers": headers, "body": _parsed(headers.get("content-type", ""), text)}


def _parsed(content_type: str, text: str) -> Any:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text
