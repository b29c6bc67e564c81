"""One HTTP connection: from bytes to requests, and from responses to bytes.

uvicorn owns the sockets, the signals and the life of the process; this is the protocol that it gives each connection.
The ASGI messages that it would otherwise pass on are the largest single cost of a small request, and it leaves to a
proxy what is bounded here: heads and bodies that are too large, slow, or never end, and clients that do not read.
"""

import asyncio
import logging
import re
from collections import deque
from contextlib import aclosing
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from owed.api import wire
from owed.api.app import App
from owed.api.messages import PROBLEM_JSON, Request, Response, Stream, new_request_id
from owed.api.problems import problem
from owed.core.outcomes import Code, Refused

HEAD_BYTES = 64 * 1024
"""Bytes that the headers may have."""

URL_BYTES = 8 * 1024
"""Bytes that the path and the query may have."""

BODY_BYTES = 2**20
"""Bytes that a body may have; of a larger one the rest is read and thrown away, so that the refusal can be read."""

PATIENCE = 15.0
"""Seconds in which a request must have arrived, once its connection is open or its first byte is there; and in which a
client must have read something of what it asked for."""

LOOK_EVERY = 5.0
"""Seconds between two looks at a connection: one timer that stays is cheaper than one for each request."""

SOME_PROGRESS = 64 * 1024
"""Bytes that an honest client reads in `PATIENCE`."""

MOST_CONNECTIONS = 4_096
"""Connections of one worker; a further one is closed at once."""

MOST_PIPELINED = 16
"""Requests that may wait on one connection before no more of it is read."""

UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
"""The header that asks for another protocol. None is spoken here, so it is ignored (RFC 9110, 7.8); the parser would
stop at it."""

NO_HTTP = (
    f"This is no HTTP, or its method is unknown, or its URL is not percent-encoded or has over {URL_BYTES} bytes, or "
    f"its headers have over {HEAD_BYTES}."
)

logger = logging.getLogger("owed.protocol")


class TooLarge(Exception):
    """The head of a request is larger than any honest one."""


class Protocol(asyncio.Protocol):
    """A connection, and the requests on it, one after another."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self._app: App = config.loaded_app
        self._server = server_state
        self._keep_alive_seconds = config.timeout_keep_alive
        self._loop = _loop or asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._since = self._loop.time()  # when it began to wait for what it waits for now
        self._waiting: deque[Request] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._is_arriving = True
        self._is_ending = self._is_broken = False
        self._unread: int | None = None
        self._is_read = asyncio.Event()
        self._is_read.set()
        self._begin_request()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, unless there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own classes only
        if len(self._server.connections) > MOST_CONNECTIONS:
            self._transport.abort()
        self._timer = self._loop.call_later(LOOK_EVERY, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection. What was asked on it is carried out all the same, unless its answer was all of it."""
        self._server.connections.discard(self)
        self._timer.cancel()
        self._waiting.clear()
        if self._answering is not None and self._answered.is_for_its_client_alone:
            self._answering.cancel()

    def eof_received(self) -> bool:
        """Answer what has arrived, though the client will send no more."""
        self._is_ending = True
        return self._answering is not None

    def shutdown(self) -> None:
        """End the connection once its requests are answered; one that has not arrived whole was never accepted."""
        self._is_ending = True
        if self._answering is None:
            self._transport.close()

    # What arrives

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        if self._is_arriving and not self._has_head:
            self._head_size += len(data)  # of a head in pieces; a whole one is counted by its headers
        if b"pgrade" in data or b"PGRADE" in data:
            data = UPGRADE.sub(b"\r\nignored:", data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._is_ending = True  # no other protocol is spoken here: it is answered as it stands
        except httptools.HttpParserError:
            self._refuse_bytes()
        else:
            if self._head_size > HEAD_BYTES + len(data) and not self._has_head:
                self._refuse_bytes()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._begin_request()
        self._is_arriving = True
        self._since = self._loop.time()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        self._url += url
        if len(self._url) > URL_BYTES:
            raise TooLarge

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is none (RFC 9110, 6.5.1), but counts like one."""
        if not self._has_head:
            self._headers.append((name.lower(), value))
        self._fields_size += len(name) + len(value)
        if self._fields_size > HEAD_BYTES:
            raise TooLarge

    def on_headers_complete(self) -> None:
        """Take the head as a whole: invite the body, or refuse it by its announced length."""
        self._has_head = True
        url = self._url if self._url.startswith(b"/") else wire.origin_form(self._url)
        self._request = Request(self._parser.get_method().decode("ascii"), url, self._headers, self._app.public_url)
        self._request.takes_chunks = self._parser.get_http_version() != "1.0"
        self._request.keeps_alive = self._request.takes_chunks and self._parser.should_keep_alive()
        if int(self._request.headers.get(b"content-length", 0)) > BODY_BYTES:
            self._dispatch(is_too_large=True)
        elif self._request.headers.get(b"expect", b"").lower() == b"100-continue" and self._request.keeps_alive:
            self._invite()

    def _invite(self) -> None:
        """Ask for the body, unless an answer is due first: one that waits to be asked soon sends it unasked."""
        if self._answering is None:
            self._transport.write(wire.CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._size += len(body)
        if self._is_dispatched:
            return
        self._body.append(body)
        if self._size > BODY_BYTES:
            self._dispatch(is_too_large=True)

    def on_message_complete(self) -> None:
        """End a request; what arrives next is another."""
        self._is_arriving = False
        if not self._is_dispatched:
            self._dispatch()
        elif self._answering is None:
            self._transport.close()  # its refusal is out, and could be read

    def _begin_request(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = self._head_size = self._fields_size = 0
        self._has_head = self._is_dispatched = False

    def _refuse_bytes(self) -> None:
        """Answer what is not HTTP, or too much of it, after what came before it, and end the connection."""
        self._is_ending = self._is_broken = True
        self._is_arriving = False
        if self._answering is None:
            answer = problem(Refused(Code.INVALID_REQUEST, NO_HTTP), "", "", request_id := new_request_id())
            response = Response(answer.status, answer.body, {"content-type": PROBLEM_JSON})
            self._write(response, request_id, "", is_last=True)
            self._transport.close()

    # What is answered

    def _dispatch(self, *, is_too_large: bool = False) -> None:
        """Hand the request on, after those before it."""
        self._is_dispatched = True
        self._request.body = b"".join(self._body)
        self._request.is_too_large = is_too_large
        if self._answering is None and not self._unread:
            self._answer(self._request)
        else:
            self._waiting.append(self._request)
            if len(self._waiting) >= MOST_PIPELINED:
                self._transport.pause_reading()

    def _answer(self, request: Request) -> None:
        self._answered = request
        self._answering = self._loop.create_task(self._answer_now(request))

    async def _answer_now(self, request: Request) -> None:
        is_answered = False
        try:
            response = await self._app.edge.answer(request)
            if not request.keeps_alive or request.is_too_large:
                self._is_ending, self._is_broken = True, False
                self._waiting.clear()  # nothing after it counts
            if isinstance(response, Stream):
                await self._send(response, request)
            elif not self._transport.is_closing():
                self._write(response, request.id, request.method, is_last=self._is_ending and not self._waiting)
            self._answering = None
            self._since = self._loop.time()
            if not self._transport.is_closing():
                self._go_on(request)
            is_answered = True
        finally:
            if not is_answered:
                self._transport.abort()

    def _go_on(self, request: Request) -> None:
        """Turn to what waits, or end the connection."""
        if self._waiting:
            self._answer_next()
        elif self._is_broken:
            self._refuse_bytes()
        elif self._is_ending and not (request.is_too_large and self._is_arriving):
            self._transport.close()

    def _answer_next(self) -> None:
        if self._unread is None:
            self._answer(self._waiting.popleft())
            if not self._waiting:
                self._transport.resume_reading()

    def _write(self, response: Response, request_id: str, method: str, *, is_last: bool) -> None:
        """Send a response in one write: its head and its body would each cost a system call."""
        head = wire.whole(response, self._server.default_headers, request_id, is_last=is_last)
        body = b"" if method == "HEAD" or response.status in wire.WITHOUT_BODY else response.body
        self._transport.write(head + body)

    async def _send(self, stream: Stream, request: Request) -> None:
        """Send a response piece by piece; where it breaks off, so that the client notices."""
        async with aclosing(stream):
            try:
                if not self._transport.is_closing():
                    await self._send_pieces(stream, request)
            except Exception:
                logger.exception("an answer broke off", extra={"request_id": request.id, "route": request.route})
                self._transport.abort()

    async def _send_pieces(self, stream: Stream, request: Request) -> None:
        """Send each piece once the client has read those before it; a client that knows no chunks reads to the end."""
        framing, framed, end = wire.CHUNKED if request.takes_chunks else wire.TO_THE_END
        is_last = self._is_ending and not self._waiting
        head = wire.head(stream, framing, self._server.default_headers, request.id, is_last=is_last)
        self._transport.write(head)
        if request.method == "HEAD":
            return
        async for piece in stream:
            self._transport.write(framed(piece))
            await self._is_read.wait()
        self._transport.write(end)

    # What takes too long

    def pause_writing(self) -> None:
        """Read no more of a client that does not read."""
        self._unread = self._transport.get_write_buffer_size()
        self._unread_since = self._loop.time()
        self._is_read.clear()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with a client that reads again."""
        self._unread = None
        self._is_read.set()
        if not self._waiting:
            self._transport.resume_reading()
        elif self._answering is None:
            self._answer_next()

    def _look(self) -> None:
        """End a connection that is slow or idle; look again later."""
        now = self._loop.time()
        self._timer = self._loop.call_later(LOOK_EVERY, self._look)
        if self._unread is not None:
            self._look_at_unread(now)
        elif self._is_arriving and now - self._since > PATIENCE:
            self._transport.abort()
        elif not self._is_arriving and self._answering is None and now - self._since > self._keep_alive_seconds:
            self._transport.close()

    def _look_at_unread(self, now: float) -> None:
        unread = self._transport.get_write_buffer_size()
        if self._unread is not None and self._unread - unread >= SOME_PROGRESS:
            self._unread, self._unread_since = unread, now
        elif now - self._unread_since > PATIENCE:
            self._transport.abort()
