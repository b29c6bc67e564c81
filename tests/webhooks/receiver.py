"""A receiver of webhooks that keeps every request, byte for byte, and answers as badly as it is told to."""

import asyncio
import gzip
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, NamedTuple, Self

PATIENCE: Final = 10.0
RESET: Final = struct.pack("ii", 1, 0)
"""What makes the end of a connection a reset: it lingers for no time at all."""


class Request(NamedTuple):
    """A request that came in; the names of its headers are in lower case."""

    at: datetime
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Caller(NamedTuple):
    """Whoever sent a request, and waits."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def get(self, data: bytes) -> None:
        """Have it get these bytes."""
        self.writer.write(data)
        await self.writer.drain()


Script = Callable[[Caller], Awaitable[bool]]
"""Answers a request, and says whether the connection stays open for the next."""


class Receiver:
    """Listens on a thread of its own, while it is a context, at `url`.

    Attributes:
        requests: All that came, in the order in which they came.
        default: What it does when nothing else is planned.
    """

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.requests: list[Request] = []
        self.default: Script = answer()
        self.connections = 0
        self._planned = deque(scripts)
        self._host, self._tls = host, tls
        self._news = threading.Condition()
        self._port: int | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="receiver")

    def __enter__(self) -> Self:
        self._thread.start()
        with self._news:
            assert self._news.wait_for(lambda: self._port is not None, PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    @property
    def port(self) -> int:
        assert self._port is not None
        return self._port

    @property
    def url(self) -> str:
        return self.url_of(self._host)

    def url_of(self, host: str) -> str:
        """Give its URL under another name of the machine."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/hook"

    def plan(self, *scripts: Script) -> None:
        """Have the next requests answered so, one after the other."""
        self._planned.extend(scripts)

    def wait_for(self, count: int, seconds: float = PATIENCE) -> list[Request]:
        """Wait until so many requests have come in all, and give those that have come."""
        with self._news:
            self._news.wait_for(lambda: len(self.requests) >= count, seconds)
            return list(self.requests)

    async def _run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, self._host, 0, ssl=self._tls, backlog=1024)
        with self._news:
            self._port = server.sockets[0].getsockname()[1]
            self._news.notify_all()
        await self._over.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        caller = Caller(reader, writer)
        with suppress(OSError, EOFError, asyncio.CancelledError):
            while await self._next_script(await _request(reader))(caller):
                pass
        writer.close()

    def _next_script(self, request: Request) -> Script:
        with self._news:
            self.requests.append(request)
            self._news.notify_all()
        return self._planned.popleft() if self._planned else self.default


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(datetime.now(UTC), method, path, headers, body)


def answer(status: int = 204, body: bytes = b"", headers: dict[str, str] | None = None) -> Script:
    """Answer as asked."""
    given = {"Content-Length": str(len(body)), **(headers or {})} if status != 204 else headers or {}
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in given.items())]
    return raw("\r\n".join([*lines, "", ""]).encode() + body, stays=True)


def raw(data: bytes, *, stays: bool = False) -> Script:
    """Answer with these very bytes, and hang up."""

    async def script(caller: Caller) -> bool:
        await caller.get(data)
        return stays

    return script


def redirect(to: str, status: int = 302) -> Script:
    """Send the caller elsewhere."""
    return answer(status, headers={"Location": to})


def gzip_bomb(megabytes: int = 16) -> Script:
    """Answer with little that becomes much where it is unpacked."""
    return answer(200, gzip.compress(bytes(megabytes << 20), mtime=0), {"Content-Encoding": "gzip"})


def cut_short() -> Script:
    """Hang up in the middle of the answer."""
    return raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")


def close() -> Script:
    """Hang up without an answer."""
    return raw(b"")


async def hang(caller: Caller) -> bool:
    """Never answer; wait until the caller hangs up."""
    await caller.reader.read()
    return False


async def reset(caller: Caller) -> bool:
    """Break the connection off."""
    caller.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    caller.writer.transport.abort()
    return False


async def drip(caller: Caller) -> bool:
    """Answer at once, but with a body that comes byte by byte, and never ends."""
    await caller.get(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not caller.reader.at_eof():
        await caller.get(b".")
        await asyncio.sleep(0.02)
    return False


def endless(start: bytes, more: bytes) -> Script:
    """Answer with what comes fast, and never ends."""

    async def script(caller: Caller) -> bool:
        await caller.get(start)
        while True:
            await caller.get(more)

    return script


flood = endless(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"more and more..." * 4096)
interim = endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000)
framing = endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"and=so;" * 8000)
