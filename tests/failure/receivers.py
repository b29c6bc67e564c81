"""Receivers of webhooks, as a merchant's own programs are: each verifies and keeps what it gets, and often fails."""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any, Final, NamedTuple, TypeVar

import uvloop
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

Result = TypeVar("Result")
Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

STOP: Final = 30.0
RESET: Final = struct.pack("ii", 1, 0)
"""What makes the end of a connection a reset: it lingers for no time at all."""


class Fate(Enum):
    """What a receiver does with a request."""

    TAKEN = auto()
    """It does the work, and says so."""
    REFUSED = auto()
    RESET = auto()
    UNTOLD = auto()
    """It does the work, but its answer is lost."""
    SILENT = auto()
    """It never answers."""


FATES: Final = (
    *(Fate.TAKEN,) * 70,
    *(Fate.REFUSED,) * 12,
    *(Fate.RESET,) * 8,
    *(Fate.UNTOLD,) * 9,
    Fate.SILENT,
)
"""What becomes of a hundred requests: thirty fail; few by silence, which holds up an object for as long as it lasts."""


class Arrival(NamedTuple):
    """A request that came in."""

    event_id: str
    body: bytes
    is_verified: bool
    fate: Fate


class Receiver:
    """One of an endpoint.

    Attributes:
        secret: Of the endpoint, once that is made.
        arrivals: All requests, in the order in which they came.
        taken: The events that it has said to have taken.
    """

    def __init__(self, seed: str) -> None:
        self.secret = ""
        self.arrivals: list[Arrival] = []
        self.taken: set[str] = set()
        self._news = threading.Condition()
        self._random = random.Random(seed)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Do what fate says: refuse, go silent, break off, or take it."""
        fate = self._noted(request, await request.read())
        if fate is Fate.SILENT:
            await asyncio.Event().wait()  # whoever asked hangs up some time
        if fate in {Fate.RESET, Fate.UNTOLD}:
            break_off(request, b"" if fate is Fate.RESET else b"HTTP/1.1 20")
        return web.Response(status=500 if fate is Fate.REFUSED else 204)

    def wait_for(self, more: int, seconds: float) -> bool:
        """Wait until so many more events were taken, and say whether they were."""
        with self._news:
            wanted = len(self.taken) + more
            return self._news.wait_for(lambda: len(self.taken) >= wanted, seconds)

    def wait_for_all(self, wanted: set[str], patience: float) -> None:
        """Wait until all these events were taken, or until none more is for as long as our patience lasts."""
        while not wanted <= self.taken:
            if not self.wait_for(1, patience):
                return

    def _noted(self, request: web.BaseRequest, body: bytes) -> Fate:
        arrival = Arrival(
            request.headers.get("webhook-id", ""),
            body,
            is_verified(self.secret, request, body),
            self._random.choice(FATES),
        )
        with self._news:
            self.arrivals.append(arrival)
            if arrival.fate is Fate.TAKEN:
                self.taken.add(arrival.event_id)
                self._news.notify_all()
        return arrival.fate


def is_verified(secret: str, request: web.BaseRequest, body: bytes) -> bool:
    """Tell whether a request is signed, as a merchant finds it out."""
    try:
        Webhook(secret).verify(body, dict(request.headers))
    except WebhookVerificationError:
        return False
    return True


def break_off(request: web.BaseRequest, said: bytes) -> None:
    """End the connection of a request after the beginning of an answer, or with a reset where there is none."""
    transport = request.transport
    if transport is None:
        return
    if said:
        transport.write(said)
    else:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()


@contextmanager
def listening(answer: Answer) -> Iterator[str]:
    """Have requests answered, on a thread beside the test; yield the URL."""
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="receiver")
    thread.start()

    def run(work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, loop).result(STOP)

    runner = run(started(answer))
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        run(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def started(answer: Answer) -> web.ServerRunner:
    runner = web.ServerRunner(web.Server(answer, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    return runner


@contextmanager
def receiving(receivers: dict[str, Receiver]) -> Iterator[str]:
    """Have receivers listen, each under its path; yield the URL before it."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return await receivers[request.path.removeprefix("/")].answer(request)

    with listening(answer) as url:
        yield url
