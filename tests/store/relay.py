"""A relay before PostgreSQL that does to connections what networks and crashes do."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from urllib.parse import quote, unquote

from owed.database.embedded import SOCKET
from tests.database.places import short_directory


class Fate(Enum):
    """What becomes of a connection over which something marked is sent."""

    CUT_BEFORE = auto()
    """It dies before the server gets it."""
    CUT_BEHIND = auto()
    """It dies as soon as the server has it, whatever the server does with it."""
    CUT_AFTER = auto()
    """It dies when the server has done it; the answer is lost."""
    WITHHELD = auto()
    """The answer is kept back until the relay releases it."""


class Relay:
    """Passes everything on, but for the next thing that a test has marked."""

    def __init__(self, target: str) -> None:
        self.struck = asyncio.Event()
        self.answered = asyncio.Event()
        self.released = asyncio.Event()
        self.lets_in = asyncio.Event()
        self.lets_in.set()
        self._target = target
        self._marked: list[tuple[bytes, Fate]] = []

    def strike(self, marker: bytes, fate: Fate, *, shut_out: bool = False) -> None:
        """Let `fate` befall the next connection over which `marker` is sent; and let in no other, if so wished."""
        self.struck.clear()
        self._marked.append((marker, fate))
        self._shuts_out = shut_out

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Relay one connection until either side, or fate, ends it."""
        if not self.lets_in.is_set():
            back.close()
            return
        server, forth = await asyncio.open_unix_connection(self._target)
        answered, kept_back = asyncio.Event(), asyncio.Event()
        ways = [
            asyncio.create_task(self._forth(client, forth, answered, kept_back)),
            asyncio.create_task(self._back(server, back, answered, kept_back)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (back, forth):
                end.close()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _forth(
        self,
        client: asyncio.StreamReader,
        forth: asyncio.StreamWriter,
        answered: asyncio.Event,
        kept_back: asyncio.Event,
    ) -> None:
        while data := await client.read(2**20):
            fate = self._fate(data)
            if fate is Fate.CUT_BEFORE:
                return
            if fate in (Fate.CUT_AFTER, Fate.WITHHELD):
                kept_back.set()
            forth.write(data)
            await forth.drain()
            if fate is Fate.CUT_BEHIND:
                return
            if fate is Fate.CUT_AFTER:
                await answered.wait()
                return

    async def _back(
        self,
        server: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        answered: asyncio.Event,
        kept_back: asyncio.Event,
    ) -> None:
        while data := await server.read(2**20):
            if kept_back.is_set():
                answered.set()
                self.answered.set()
                await self.released.wait()
            back.write(data)
            await back.drain()

    def _fate(self, data: bytes) -> Fate | None:
        for number, (marker, fate) in enumerate(self._marked):
            if marker in data:
                del self._marked[number]
                if self._shuts_out:
                    self.lets_in.clear()
                self.struck.set()
                return fate
        return None


@asynccontextmanager
async def relayed(dsn: str) -> AsyncIterator[tuple[Relay, str]]:
    """Open a relay before a server, and give it and its address."""
    host = re.search(r"host=([^&]+)", dsn)
    assert host is not None
    links: set[asyncio.Task[None]] = set()
    relay = Relay(str(Path(unquote(host[1])) / SOCKET))

    def link(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(relay.serve(client, back))
        links.add(task)
        task.add_done_callback(links.discard)

    with short_directory() as directory:
        server = await asyncio.start_unix_server(link, directory / SOCKET)
        try:
            yield relay, dsn.replace(host[1], quote(str(directory), safe=""))
        finally:
            server.close()
            for task in list(links):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*links, return_exceptions=True)
