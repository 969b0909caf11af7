"""How many connections there are, and how long one may take to send its headers; errors of the protocol as JSON."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from aerec.serving.settings import Settings

_RESERVED = 2  # one in this many of the files that the process may open is left for other things
_FEWEST = 8
_BATCHES = 8  # asyncio accepts an eighth of the allowed connections at once, before it looks at them
_QUEUE = 2048  # connections that the system holds until they are accepted


def make_server(app: Any, **options: Any) -> uvicorn.Server:
    """Return a server of `app` (of `create_app`) that limits connections; `options` are those of ``uvicorn.Config``."""
    shared: Connections = app.state.connections
    # asyncio accepts as many connections at once as the queue is long: too many for a process with few files
    backlog = max(1, shared.limit // _BATCHES)
    given = {"log_config": None, "access_log": False, "server_header": False, "ws": "none", **options}
    return _Server(uvicorn.Config(app, http=shared.protocol, backlog=backlog, **given))  # type: ignore[arg-type]


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_QUEUE)


class Connections:
    """The connections of one server: uvicorn makes each by `protocol`, see `make_server`.

    One that has not sent its headers in time is closed. One more than there is room for takes the place of the one that
    has waited longest for a request, so that those who open connections and say nothing lock nobody out.

    Parameters
    ----------
    settings : Settings

    Attributes
    ----------
    limit : int
        Connections at a time: as set, but no more than half of the files that the process may open.
    open : int
        Connections now.
    dropped : int
        Those closed so far because they were too slow or took the room of others.
    """

    def __init__(self, settings: Settings) -> None:
        self.limit = min(settings.connections, max(_FEWEST, _file_limit() // _RESERVED))
        self.open = 0
        self.dropped = 0
        self._seconds = settings.header_seconds
        self._waiting: dict[_Protocol, None] = {}  # for headers, the longest first

    def protocol(self, *arguments: Any, **options: Any) -> asyncio.Protocol:
        """Return what handles a new connection; called by uvicorn."""
        return _Protocol(self, self._seconds, *arguments, **options)

    def enter(self, connection: _Protocol) -> None:
        """Note a new connection, and make room for it."""
        self.open += 1
        if self.open > self.limit and self._waiting:
            next(iter(self._waiting)).drop()
        self._waiting[connection] = None

    def leave(self, connection: _Protocol) -> None:
        """Note that a connection has ended."""
        self.open -= 1
        self._waiting.pop(connection, None)

    def waits(self, connection: _Protocol, waits: bool) -> None:
        """Note whether a connection waits for a request, or is being answered."""
        if waits:
            self._waiting.setdefault(connection)
        else:
            self._waiting.pop(connection, None)


class _Protocol(H11Protocol):
    def __init__(self, shared: Connections, seconds: float, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._shared, self._seconds = shared, seconds
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._shared.enter(self)
        self._follow(expects_more=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._shared.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._follow(expects_more=True)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._follow(expects_more=bool(self.conn.trailing_data[0]))

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def drop(self) -> None:
        """Close a connection that has not sent a request."""
        self._stop_timer()
        self._shared.dropped += 1
        self._shared.waits(self, False)
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            self._refuse(408, "the headers of the request took too long")
        else:
            self.transport.close()

    def _follow(self, expects_more: bool) -> None:
        """Start or stop the time to send a request in, by whether one is being answered."""
        answering = self.cycle is not None and not self.cycle.response_complete
        waits = not answering and not self.transport.is_closing()
        self._shared.waits(self, waits)
        if not waits:
            self._stop_timer()
        elif expects_more and self._timer is None:
            self._timer = self.loop.call_later(self._seconds, self.drop)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int, message: str) -> None:
        body = json.dumps({"error": message}).encode()
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        try:
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # in the middle of an answer
            pass
        self.transport.close()


def _file_limit() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 1 << 16
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 16 if soft == resource.RLIM_INFINITY else soft
