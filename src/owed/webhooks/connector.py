"""Connections to receivers: only to addresses that were checked, and only for as much as an answer may be."""

import asyncio
import socket
import ssl
from contextvars import ContextVar
from functools import partial
from ipaddress import ip_address
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from owed.model.access import Mode
from owed.webhooks.addresses import Policy
from owed.webhooks.resolver import AddressRefused, CheckedResolver, LookUp

IDLE_SECONDS: Final = 1.5
"""How long a connection is kept for the next event: less than receivers keep it, which close after 2 s or more."""

MOST_RECEIVED: Final = 128 * 1024
"""Bytes of an answer that are taken at all: its head, and whatever else is not its body."""

SOON: Final = 0.5
"""Seconds in which whoever reads a body will have had enough of it."""


class Trip:
    """How far one attempt has come."""

    __slots__ = ("address", "answer", "is_endless", "retry_after", "status")

    def __init__(self) -> None:
        self.address: str | None = None
        self.status: int | None = None
        self.answer: bytes | None = None
        self.retry_after: float | None = None
        self.is_endless = False


current_trip: ContextVar[Trip] = ContextVar("trip")


class Protocol(ResponseHandler):
    """A connection that takes no more than a bounded number of bytes for one answer, whatever they are.

    Interim responses, headers and the framing of chunks may go on without end, and never show as a body.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._hears = loop
        self.room = MOST_RECEIVED
        self.trip = Trip()

    def begin(self, trip: Trip) -> None:
        """Have room for one answer from now on."""
        self.room, self.trip = MOST_RECEIVED, trip

    def data_received(self, data: bytes) -> None:
        if self.room > 0:
            super().data_received(data[: self.room])
            self.room -= len(data)
            if self.room <= 0 and self.transport is not None:
                self.transport.pause_reading()
                self._hears.call_later(SOON, self._give_up)  # who reads a body has closed the connection by then

    def _give_up(self) -> None:
        if self.transport is not None and self.room <= 0:
            self.trip.is_endless = True
            self.transport.abort()


class Connector(aiohttp.TCPConnector):
    """Connects to what the policy allows, by name or by number, and notes where each request goes."""

    def __init__(self, policy: Policy, mode: Mode, look_up: LookUp, context: ssl.SSLContext) -> None:
        self._policy = policy
        self._mode = mode
        super().__init__(
            resolver=CheckedResolver(policy, mode, look_up),
            ssl=context,
            limit=0,
            keepalive_timeout=IDLE_SECONDS,
            socket_factory=self._socket,
        )
        factory: Any = partial(Protocol, loop=asyncio.get_running_loop())
        self._factory = factory

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Make the socket to an address: the last gate, which those that stand in a URL pass through too."""
        family, kind, protocol, _, (host, *_) = info
        if reason := self._policy.refusal(ip_address(host), self._mode):
            raise AddressRefused(reason)
        current_trip.get().address = host
        return socket.socket(family, kind, protocol)

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  (of aiohttp)
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        if isinstance(connection.protocol, Protocol):
            connection.protocol.begin(current_trip.get())
        if connection.transport is not None and (peer := connection.transport.get_extra_info("peername")):
            current_trip.get().address = peer[0]
        return connection
