"""`python -m bench.receiver`: a merchant's server that does as little as can be, and notes when what arrived.

It answers every POST with 200 on a connection that stays. A GET of `/taken` answers with what it has noted since the
last one, and of `/count` with how much that is. It reads HTTP only as far as those who call it write it.
"""

import asyncio
import json
import sys
import time
from typing import NamedTuple, cast

import uvloop

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
KEPT_WHOLE = 20
"""Requests that are kept with headers and body, of those since the last GET of `/taken`."""


class Taken(NamedTuple):
    """What arrived: for each request its time, its path and the `webhook-id`; and the first few requests, whole."""

    times: list[float]
    paths: list[str]
    ids: list[str]
    whole: list[str]


class Notes:
    """What all connections have noted."""

    def __init__(self) -> None:
        self._now = Taken([], [], [], [])

    def add(self, head: bytes, body: bytes) -> None:
        """Note a request."""
        self._now.times.append(time.time())
        self._now.paths.append(head[5 : head.index(b" ", 5)].decode())
        self._now.ids.append(header(head, b"webhook-id").decode())
        if len(self._now.whole) < KEPT_WHOLE:
            self._now.whole.append((head + b"\r\n\r\n" + body).decode())

    def answer(self, head: bytes) -> bytes:
        """Answer those who measure."""
        if not head.startswith(b"GET /taken "):
            return _json(len(self._now.times))
        taken, self._now = self._now, Taken([], [], [], [])
        return _json(taken._asdict())


class Connection(asyncio.Protocol):
    """One caller."""

    _transport: asyncio.Transport

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole by now."""
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head, begin = self._rest[:end], end + 4
            stop = begin + int(header(head, b"content-length") or 0)
            if len(self._rest) < stop:
                return
            self._answer(head, self._rest[begin:stop])
            self._rest = self._rest[stop:]

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST "):
            self._notes.add(head, body)
            self._transport.write(OK)
        else:
            self._transport.write(self._notes.answer(head))


def header(head: bytes, name: bytes) -> bytes:
    """Return the value of a header of a request; nothing where it is not there."""
    _, found, rest = head.lower().partition(b"\r\n" + name + b":")
    if not found:
        return b""
    end = len(head) - len(rest)
    return head[end:].partition(b"\r\n")[0].strip()


def _json(value: object) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def main(port: int) -> None:
    """Serve until the process is ended."""
    notes = Notes()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(notes), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
