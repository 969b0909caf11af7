"""What every request passes on its way in and out: token, size, time, headers, counting, and no stack trace."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from aerec.serving.metrics import Metrics
from aerec.serving.problems import problem, shown
from aerec.serving.settings import Settings

_LOG = logging.getLogger(__name__)
_METHODS = {"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}
_PROTECTED = ("/v1/", "/metrics")
_SECURITY = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_CUT_OFF = {"connection": "close"}  # the rest of the request is not read

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[MutableMapping[str, Any], _Receive, _Send], Awaitable[None]]


class Guard:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app : ASGI application
    metrics : Metrics
    settings : Settings
    token : str or None
        What the API and the metrics ask for as ``Authorization: Bearer …``; probes, page and documentation do not.
    """

    def __init__(self, app: _App, metrics: Metrics, settings: Settings, token: str | None) -> None:
        self._app = app
        self._metrics = metrics
        self._settings = settings
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        headers = dict(scope["headers"])

        async def answer(message: _Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_extra_headers(scope["path"])]
            await send(message)

        self._metrics.begin()
        try:
            if (refusal := self._refusal(scope, headers)) is not None:
                await refusal(scope, receive, answer)
            else:
                await self._app(scope, self._limited(receive), answer)
        except Exception:
            _LOG.exception("a request could not be answered")
            if not status:
                await problem("internal error; the log of the server says more", 500)(scope, receive, answer)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            self._metrics.end(method, _route(scope), status or 500, time.perf_counter() - started)

    def _refusal(self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]) -> Response | None:
        if b"transfer-encoding" in headers and b"content-length" in headers:  # two lengths: a proxy may take the other
            return problem("a request has Content-Length or Transfer-Encoding, not both", 400, _CUT_OFF)
        if self._token is None and _is_loopback((scope.get("server") or ("",))[0]):
            host = _host_name(headers.get(b"host", b"").decode("latin-1"))
            if host and not (_is_loopback(host) or host in self._settings.hosts):
                return problem(f"{shown(host)} is not a name of this server; --allow-host adds it", 403)
        if self._token is not None and scope["path"].startswith(_PROTECTED):
            kind, _, given = headers.get(b"authorization", b"").partition(b" ")
            if kind.lower() != b"bearer" or not secrets.compare_digest(given.strip(), self._token):
                return problem("a token is needed: Authorization: Bearer …", 401, {"www-authenticate": "Bearer"})
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:18]) > self._settings.body_bytes:
            return problem(_too_large(self._settings), 413, _CUT_OFF)
        return None

    def _limited(self, receive: _Receive) -> _Receive:
        """Return `receive` for bodies that come in time and end before they are too large."""
        left, deadline, done = self._settings.body_bytes, time.monotonic() + self._settings.body_seconds, False

        async def limited() -> _Message:
            nonlocal left, done
            if done:  # only the end of the connection can still come
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
            except asyncio.TimeoutError:
                text = f"the request took longer than {self._settings.body_seconds:g} s"
                raise HTTPException(408, text, _CUT_OFF) from None
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, _too_large(self._settings), _CUT_OFF)
            done = not message.get("more_body", False)
            return message

        return limited


def _host_name(host: str) -> str:
    """Return the name in a ``Host`` header, without port and brackets, in small letters."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _too_large(settings: Settings) -> str:
    return f"the request is larger than {settings.body_bytes:,} bytes"


def _extra_headers(path: str) -> list[tuple[bytes, bytes]]:
    cache = "no-store" if path.startswith(_PROTECTED) else "no-cache"
    return [(name.encode(), value.encode()) for name, value in {**_SECURITY, "cache-control": cache}.items()]


def _route(scope: MutableMapping[str, Any]) -> str:
    """Return the pattern that the path fits, so that the number of label values is bounded."""
    if scope["path"].startswith("/page/"):
        return "/page"
    route = scope.get("route")
    return str(getattr(route, "path_format", None) or getattr(route, "path", None) or "none")
