"""``http`` nodes: one request, followed to where its redirects lead."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from http import HTTPStatus
from typing import Any

import aiohttp
import httpx
from yarl import URL

from headgate.api.builtin import Header, Http
from headgate.runner.errors import NodeFailed
from headgate.runner.networks import Networks, Resolve, checked, system_resolve
from headgate.runner.secrets import Redactor, Secrets

BODY_BYTES = 65_536
"""An answer that is longer is refused rather than read: its output could not be kept."""
_HEADER_BYTES = 65_536
_CONNECT_SECONDS = 10.0
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
    async with client() as http:
        for _ in range(node.max_redirects + 1):
            status, headers, body = await send(http, request, networks, resolve)
            target = headers.get("location")
            if status not in _REDIRECTS or target is None or status in node.expect_status:
                return _output(node, request, status, headers, body, secrets.redactor())
            request = _redirected(request, status, target)
    raise NodeFailed("HttpRedirects", f"there were more than {node.max_redirects} redirects")


def client() -> aiohttp.ClientSession:
    """For ``send``: one node's, each request on a connection of its own, so that nothing of it is there for another."""
    # No proxy and no .netrc of the environment: the address that was checked is the one that is connected to.
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=trust(),
            resolver=aiohttp.ThreadedResolver(),
            use_dns_cache=False,
            force_close=True,
            limit=0,
            happy_eyeballs_delay=None,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        trust_env=False,
        auto_decompress=False,
        max_line_size=_HEADER_BYTES,
        max_field_size=_HEADER_BYTES,
    )
    # A request is sent once, also where its connection breaks off before the answer and its method could be repeated.
    session._retry_connection = False  # noqa: SLF001 - there is no other way to say so
    return session


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
    http: aiohttp.ClientSession, request: Request, networks: Networks, resolve: Resolve, *, most_bytes: int = BODY_BYTES
) -> tuple[int, dict[str, str], bytes]:
    """The answer to one request: status, headers, and a body of ``most_bytes`` at most. Raises ``NodeFailed``."""
    url = request.url
    port = url.port or _PORTS[url.scheme]
    headers = {
        "user-agent": "headgate",
        "accept": "*/*",
        **request.headers,
        "host": url.netloc.decode("ascii"),
        # What is compressed has no length that could be bounded before it is unpacked.
        "accept-encoding": "identity",
    }
    last: Exception | None = None
    for address in await checked(url.host, port, networks, resolve):
        try:
            response = await http.request(
                request.method,
                URL(str(url.copy_with(host=address, port=port)), encoded=True),
                headers=headers,
                data=request.body,
                server_hostname=url.host if url.scheme == "https" else None,
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ClientSSLError, aiohttp.ConnectionTimeoutError) as error:
            last = error
            continue
        except aiohttp.ClientError as error:
            raise NodeFailed("HttpConnection", f"{url.host} gave no answer: {type(error).__name__}") from None
        except ValueError:
            raise NodeFailed("InvalidRequest", "a header holds characters that no header can") from None
        try:
            return response.status, _headers(response), await _body(response, url.host, most_bytes)
        except aiohttp.ClientError as error:
            raise NodeFailed("HttpConnection", f"the answer of {url.host} broke off: {type(error).__name__}") from None
        finally:
            response.close()
    raise NodeFailed("HttpConnection", f"could not connect to {url.host}: {_why(last)}")


def _why(error: Exception | None) -> str:
    """Why no connection came about, without the address, which a workflow's author may not know."""
    match error:
        case None:
            return "no address"
        case aiohttp.ClientConnectorCertificateError():
            return str(error.certificate_error)
        case aiohttp.ClientConnectorError():
            return error.strerror or type(error.os_error).__name__
        case _:
            return "it took too long"


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in response.raw_headers:
        name, value = raw_name.decode("latin-1").lower(), _text(raw_value)
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _text(raw: bytes) -> str:
    """A header's value in the encoding that it most likely has."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


async def _body(response: aiohttp.ClientResponse, host: str, most_bytes: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise NodeFailed("InvalidOutput", f"the answer of {host} is compressed, although it was asked not to be")
    read = bytearray()
    async for chunk in response.content.iter_any():
        read += chunk
        if len(read) > most_bytes:
            raise NodeFailed("InvalidOutput", f"the answer of {host} has more than {most_bytes} bytes")
    return bytes(read)


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
    node: Http, request: Request, status: int, headers: dict[str, str], body: bytes, redactor: Redactor
) -> dict[str, Any]:
    expected = status in node.expect_status if node.expect_status else HTTPStatus(200) <= status < HTTPStatus(300)
    text = body.decode("utf-8", "replace")
    if not expected:
        said = f": {redactor.text(text)[:_SHOWN]}" if text.strip() else ""
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
