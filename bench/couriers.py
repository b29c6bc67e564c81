"""Those who deliver: each with a PostgreSQL of its own, into which the events are put that it is to deliver."""

import asyncio
import base64
import json
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import asyncpg
import psutil

from bench import services, sql
from bench.client import Client
from bench.events import TYPE, Event
from bench.receipts import Receiver
from bench.services import PEERS, Bench, Service
from owed.database.embedded import running

PATH = "/billing/webhook_endpoints"
CHUNK = 500
"""Rows of one transaction: as many events as a large batch of payments has."""

TENANT = "SELECT tenant_id FROM api_key WHERE hash = $1"
EVENT_COLUMNS = ("tenant_id", "object_id", "sequence", "id", "type", "body", "recorded_at")
OUTBOX = (PEERS / "outbox.sql").read_text()


class Endpoint(NamedTuple):
    """Where events go, and what signs them."""

    url: str
    secret: str


Endpoints = Mapping[str, Endpoint]
"""By the path of their URL."""


class Courier(Protocol):
    """Whoever can be given events, and delivers them while its worker runs.

    Attributes:
        most: More than it delivers in a second.
        keeps_order: Whether the events of an object arrive in their order.
    """

    @property
    def name(self) -> str: ...
    @property
    def most(self) -> int: ...
    @property
    def keeps_order(self) -> bool: ...
    @property
    def dsn(self) -> str: ...
    def endpoints(self, receiver: Receiver, count: int) -> AbstractContextManager[Endpoints]: ...
    def fill(self, events: Sequence[Event], endpoints: Endpoints) -> None: ...
    def worker(self) -> AbstractContextManager[psutil.Process]: ...


@dataclass(frozen=True)
class Owed:
    """Owed: `owed worker` beside an API that delivers nothing itself."""

    bench: Bench
    service: Service
    name: str = "Owed"
    most: int = 12_000
    keeps_order: bool = True

    @property
    def dsn(self) -> str:
        return self.service.dsn

    @contextmanager
    def endpoints(self, receiver: Receiver, count: int) -> Iterator[Endpoints]:
        """Register endpoints, and delete them when the block ends."""
        made = {path: self._ask(201, "POST", PATH, {"url": receiver.url(path)}) for path in _paths(count)}
        try:
            yield {path: Endpoint(each["url"], each["secret"]) for path, each in made.items()}
        finally:
            for each in made.values():
                self._ask(204, "DELETE", f"{PATH}/{each['id']}")

    def fill(self, events: Sequence[Event], endpoints: Endpoints) -> None:
        """Record events."""
        (tenant_id,) = sql.row(self.dsn, TENANT, sha256(self.service.key.encode()).digest())
        now = datetime.now(UTC)
        rows = ((tenant_id, each.object_id, each.sequence, each.id, TYPE, each.body, now) for each in events)
        load(self.dsn, "event", EVENT_COLUMNS, rows)

    @contextmanager
    def worker(self) -> Iterator[psutil.Process]:
        """Run one delivery worker."""
        home = self.service.directory
        command = [sys.executable, "-m", "owed", "worker", "--data-dir", str(home)]
        allowed = {"OWED_WEBHOOK_ALLOW": "127.0.0.0/8"}
        with services.started(command, allowed, home / "worker.log", self.bench.cores) as process:
            yield process

    def _ask(self, status: int, method: str, path: str, members: object = None) -> Any:
        """Send a request of which the status is known, and give the answer's body."""
        answer = Client(self.service.url, self.service.key).send(method, path, members)
        if answer.status != status:
            raise SystemExit(f"Owed refuses to {method} {path}: {answer.status} {answer.body.decode()}")
        return json.loads(answer.body) if answer.body else None


@dataclass(frozen=True)
class Outbox:
    """An outbox, in either way."""

    bench: Bench
    dsn: str
    directory: Path
    name: str
    scheme: str
    most: int
    keeps_order: bool = False

    @contextmanager
    def endpoints(self, receiver: Receiver, count: int) -> Iterator[Endpoints]:
        """Know these endpoints, and no deliveries."""
        made = _endpoints(receiver, count)
        sql.execute(self.dsn, "TRUNCATE webhook_endpoint, webhook_delivery")
        sql.copy(self.dsn, "webhook_endpoint", ("id", "url", "secret"), [(path, *each) for path, each in made.items()])
        yield made

    def fill(self, events: Sequence[Event], endpoints: Endpoints) -> None:
        """Note what is to be delivered."""
        rows = ((path, each.id, each.body.decode()) for each in events for path in endpoints)
        load(self.dsn, "webhook_delivery", ("endpoint_id", "event_id", "body"), rows)

    @contextmanager
    def worker(self) -> Iterator[psutil.Process]:
        """Run the worker."""
        dsn = self.dsn.replace("postgresql", self.scheme, 1)
        with _peer(self.bench, f"{self.name}_outbox", dsn, self.directory) as process:
            yield process


@contextmanager
def owed(bench: Bench) -> Iterator[Owed]:
    """Run Owed's API, with no delivery worker of its own."""
    with services.owed(bench, "--no-deliveries") as service:
        yield Owed(bench, service)


@contextmanager
def usual(bench: Bench) -> Iterator[Outbox]:
    """Have the tables of the usual outbox."""
    with _outbox(bench, "usual", "postgresql+asyncpg", most=2_000) as courier:
        yield courier


@contextmanager
def tuned(bench: Bench) -> Iterator[Outbox]:
    """Have the tables of the tuned outbox."""
    with _outbox(bench, "tuned", "postgresql", most=12_000) as courier:
        yield courier


@contextmanager
def _outbox(bench: Bench, name: str, scheme: str, most: int) -> Iterator[Outbox]:
    home = services.made(bench.directory / name)
    with running(home) as dsn:
        sql.execute(dsn, OUTBOX)
        yield Outbox(bench, dsn, home, name, scheme, most)


@contextmanager
def _peer(bench: Bench, name: str, dsn: str, directory: Path) -> Iterator[psutil.Process]:
    command, log = [str(bench.peer_python), "-m", f"bench.peers.{name}"], directory / "worker.log"
    with services.started(command, {"DATABASE_URL": dsn}, log, bench.cores) as process:
        yield process


def _endpoints(receiver: Receiver, count: int) -> Endpoints:
    return {path: Endpoint(receiver.url(path), _new_secret()) for path in _paths(count)}


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _paths(count: int) -> list[str]:
    return [f"/{number}" for number in range(count)]


def load(dsn: str, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Add rows to a table, a part of them in each transaction, and bring its statistics up to date."""
    asyncio.run(_load(dsn, table, columns, list(rows)))


async def _load(dsn: str, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for first in range(0, len(rows), CHUNK):
            part = rows[first : first + CHUNK]
            await connection.copy_records_to_table(table, records=part, columns=list(columns))
        await connection.execute(f"VACUUM ANALYZE {table}", timeout=None)
    finally:
        await connection.close()
