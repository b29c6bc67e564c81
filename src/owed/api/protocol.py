"""The HTTP protocol of a connection: uvicorn's, with bounds that it leaves to a proxy.

Owed may face clients with no proxy before it. One that sends its headers slowly, without end, or not at all, holds a
connection for a bounded time and a bounded memory.
"""

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from owed.api.messages import PROBLEM_JSON, new_request_id
from owed.api.problems import problem
from owed.core.outcomes import Code, Refused

HEAD_BYTES = 64 * 1024
"""Bytes that the request line and the headers may have."""

URL_BYTES = 8 * 1024
"""Bytes that the path and the query may have."""

PATIENCE = 15.0
"""Seconds in which a request must have arrived, once its connection is open or its first byte is there; and in which a
client must have read something of what it asked for."""

MOST_CONNECTIONS = 4_096
"""Connections of one worker; a further one is closed at once."""


LARGE_PART = 64 * 1024
"""Bytes of a part of a response that is worth a write of its own, and that an honest reader reads in time."""


CONTINUE = b"HTTP/1.1 100 "


class TooLarge(Exception):
    """The head of a request is larger than any honest one."""


class WholeResponses:
    """A transport that sends a response in one write: its head and its body would each cost a system call."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep a part of a response until it is whole. A large part goes at once, as does an invitation to go on."""
        self._waiting.append(data)
        if len(data) >= LARGE_PART or data.startswith(CONTINUE):
            self.flush()

    def flush(self) -> None:
        """Send what was kept; where the client is gone, drop it."""
        if self._waiting and not self._transport.is_closing():
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()

    def close(self) -> None:
        """Send what was kept, and close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Protocol(HttpToolsProtocol):
    """One connection. A request that arrives whole, as nearly all do, costs no timer."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_arriving = True
        self._has_head = False
        self._head_bytes = 0
        self._deadline: TimerHandle | None = None
        self._reading: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        self.transport = self._whole = WholeResponses(transport)  # type: ignore[assignment]
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._is_arriving = False
        self._watch()
        if self._reading is not None:
            self._reading.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_arriving and not self._has_head and self._head_bytes > HEAD_BYTES:
            self.send_400_response("")
        if self.timeout_keep_alive_task is None and self.is_idle():
            self._is_arriving = True  # whatever it was, blank lines perhaps: uvicorn's own timer no longer runs
        self._watch()

    def is_idle(self) -> bool:
        """Tell whether no request is under way."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._is_arriving, self._has_head = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Check the size of a head that may be too large, and begin to answer."""
        if len(self.url) > URL_BYTES or (self._head_bytes > HEAD_BYTES and self._size_of_head() > HEAD_BYTES):
            raise TooLarge
        self._has_head = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request: what arrives next is another."""
        self._is_arriving = False
        self._head_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Send the response, now that it is whole."""
        self._whole.flush()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Stop writing to a client that does not read, and see it off if it goes on so."""
        super().pause_writing()
        self._watch_reading(self._whole.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()

    def shutdown(self) -> None:
        """Close the connection once its request is answered; one that has not arrived whole was never accepted."""
        if self._is_arriving:
            self._whole.close()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or too much of it, and close the connection."""
        detail = f"This is not valid HTTP, or its head has over {HEAD_BYTES} bytes, or its URL over {URL_BYTES}."
        refused = Refused(Code.INVALID_REQUEST, detail)
        request_id = new_request_id()
        answer = problem(refused, "", "", request_id)
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {PROBLEM_JSON}\r\nrequest-id: {request_id}\r\n"
            f"content-length: {len(answer.body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + answer.body)
        self.transport.close()

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _watch_reading(self, unread: int) -> None:
        self._reading = self.loop.call_later(PATIENCE, self._see_whether_it_reads, unread)

    def _see_whether_it_reads(self, unread_before: int) -> None:
        """End a connection on which hardly anything was read since we last looked."""
        unread = self._whole.get_write_buffer_size()
        if unread_before - unread < LARGE_PART:
            self._whole.abort()
        else:
            self._watch_reading(unread)

    def _watch(self) -> None:
        """Keep a deadline while a request is arriving, and only then."""
        if self._is_arriving and self._deadline is None:
            self._deadline = self.loop.call_later(PATIENCE, self._whole.abort)
        elif not self._is_arriving and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
