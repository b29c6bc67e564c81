"""What the tests of delivery need: a merchant of a service, its endpoint, and a receiver that is there."""

import asyncio
import json
import queue
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from owed.database.embedded import Server
from tests.cli.programs import OWED, Serving, environment, json_of, owed_here
from tests.database.places import connected
from tests.failure.receivers import listening

PATIENCE = 20.0


class Merchant(msgspec.Struct, frozen=True):
    """A merchant in test mode."""

    home: Path
    id: str
    key: str
    url: str

    def send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """Ask the service to make or to change something."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        url, data = f"{self.url}/billing/{path}", json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def endpoint(self, url: str) -> Any:
        """Make an endpoint that is told of new customers."""
        return self.send("POST", "webhook_endpoints", {"url": url, "events": ["customer.created"]})

    def customer(self, reference: str) -> str:
        """Create a customer, and give its id."""
        made: str = self.send("POST", "customers", {"external_reference": reference})["id"]
        return made


def merchant(home: Path, service: Serving) -> Merchant:
    """Create a merchant."""
    made = json_of(owed_here(home, "merchants", "create", "Acme", "--json"))
    return Merchant(home, made["id"], made["keys"]["sk_test"], service.url)


class Arrival(msgspec.Struct, frozen=True):
    """A request that came in."""

    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        """Name the event."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> Any:
        """Give what the event tells."""
        return json.loads(self.body)["data"]


@dataclass
class Receiver:
    """A receiver, which answers as soon as it may."""

    url: str = ""
    may_answer: threading.Event = field(default_factory=threading.Event)
    arrivals: queue.SimpleQueue[Arrival] = field(default_factory=queue.SimpleQueue)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take an event."""
        headers = {name.lower(): text for name, text in request.headers.items()}
        self.arrivals.put(Arrival(headers, await request.read()))
        while not self.may_answer.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return web.Response(status=204)

    def next(self) -> Arrival:
        """Wait for the next event."""
        return self.arrivals.get(timeout=PATIENCE)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Have a receiver listen, which answers at once unless told otherwise."""
    receiving = Receiver()
    receiving.may_answer.set()
    with listening(receiving.answer) as url:
        receiving.url = url
        yield receiving
        receiving.may_answer.set()


@contextmanager
def working(home: Path, *arguments: str, log: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `owed worker`, and kill it at the end if it still runs."""
    env = {**environment(home), "OWED_WEBHOOK_ALLOW": "127.0.0.0/8", **settings}
    with log.open("wb") as output:
        process = subprocess.Popen([*OWED, "worker", *arguments], env=env, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def rows(home: Path, sql: str, *values: Any) -> list[Any]:
    """Ask the database of a data directory."""
    return connected(Server(home).dsn, lambda connection: connection.fetch(sql, *values))
