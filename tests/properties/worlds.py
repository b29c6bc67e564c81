"""Two worlds that live through the same: an engine on PostgreSQL, and one in memory."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

import asyncpg
import msgspec

from owed.core.command import Command
from owed.core.outcomes import Done, Outcome
from owed.database.pool import Pool
from owed.engine.engine import Engine
from owed.engine.pending import Idempotency, Reply
from owed.engine.store import AnswerKey
from owed.model.answer import Answer, KeptAnswer
from owed.model.attribution import Actor, Attribution
from owed.model.customer import Customer
from owed.model.event import Event
from owed.model.search import customer_terms
from owed.model.transfer import Transfer
from owed.store.customers import from_row
from owed.store.memory import MemoryStore
from owed.store.postgres import PostgresStore
from owed.store.records import kept_answer
from tests.core.samples import NOW, Stamps
from tests.store.reading import transfer

DAY = timedelta(days=1)


class Asked(NamedTuple):
    """A request: a command, and the key that it is sent with, if any."""

    command: Command
    key: str | None

    @property
    def idempotency(self) -> Idempotency | None:
        return Idempotency(self.key, repr(self.command).encode()) if self.key else None


class Record(NamedTuple):
    """All that a world keeps of some tenants, each table in the order of its key."""

    customers: list[Customer]
    transfers: list[Transfer]
    events: list[Event]
    attributions: list[Attribution]
    answers: dict[AnswerKey, KeptAnswer]
    terms: set[tuple[int, str, str]]


class World(Protocol):
    """An engine, and all that is kept under it."""

    engine: Engine
    stamps: Stamps

    async def record(self) -> Record: ...
    async def let_a_day_pass(self) -> None: ...


def render(outcome: Outcome) -> Answer:
    """Make an answer with every member that can be kept."""
    if not isinstance(outcome, Done):
        return Answer(400, msgspec.json.encode(outcome))
    customer = outcome.object
    place = f"/there/{customer.id}" if outcome.created else None
    return Answer(200, msgspec.json.encode(customer.shown()), place, f'"{customer.version}"', str(customer.updated_at))


async def ask(world: World, requests: Sequence[Asked]) -> list[Reply]:
    """Send requests at the same moment, and give their replies."""
    return await asyncio.gather(*(world.engine.submit(asked.command, render, asked.idempotency) for asked in requests))


class InMemory:
    """The world in memory."""

    def __init__(self, seed: int) -> None:
        self.now = NOW
        self.stamps = Stamps(seed)
        self.store = MemoryStore(lambda: self.now)
        self.engine = Engine(self.store, self.stamps)

    async def record(self) -> Record:
        """Read everything."""
        tables = self.store.tables
        return Record(
            [tables.customers[key] for key in sorted(tables.customers)],
            [tables.transfers[key] for key in sorted(tables.transfers)],
            [tables.events[key] for key in sorted(tables.events)],
            [tables.attributions[key] for key in sorted(tables.attributions)],
            {key: kept for key in sorted(tables.answers) if (kept := self.store.kept(key))},
            {(row.tenant_id, term, row.id) for row in tables.customers.values() for term in customer_terms(row)},
        )

    async def let_a_day_pass(self) -> None:
        """Let every answer be forgotten."""
        self.now += DAY + timedelta(seconds=1)


class Link(NamedTuple):
    """The way to PostgreSQL: the engine's, and the test's own."""

    dsn: str
    pool: Pool
    reader: "asyncpg.Connection[Any]"


class OnPostgres:
    """The world on PostgreSQL."""

    def __init__(self, link: Link, tenants: Sequence[int], seed: int) -> None:
        self.stamps = Stamps(seed)
        self.engine = Engine(PostgresStore(link.pool, link.dsn), self.stamps)
        self._reader = link.reader
        self._tenants = tenants

    async def record(self) -> Record:
        """Read everything, with statements of our own."""
        customers = await self._rows("SELECT * FROM customer WHERE tenant_id = ANY($1) ORDER BY tenant_id, id")
        transfers = await self._rows(
            "SELECT * FROM transfer WHERE tenant_id = ANY($1) ORDER BY tenant_id, obligation_id, version"
        )
        events = await self._rows(
            "SELECT * FROM event WHERE tenant_id = ANY($1) ORDER BY tenant_id, object_id, sequence"
        )
        words = await self._rows("SELECT * FROM attribution WHERE tenant_id = ANY($1) ORDER BY tenant_id, id")
        answers = await self._rows(
            "SELECT * FROM answer WHERE tenant_id = ANY($1) AND recorded_at >= now() - interval '24 hours' "
            "ORDER BY tenant_id, key"
        )
        terms = await self._rows("SELECT tenant_id, term, object_id FROM search_term WHERE tenant_id = ANY($1)")
        return Record(
            [from_row(row) for row in customers],
            [transfer(row) for row in transfers],
            [Event(**row) for row in events],
            [attribution(row) for row in words],
            {AnswerKey(row["tenant_id"], row["key"]): kept_answer(row) for row in answers},
            {(row["tenant_id"], row["term"], row["object_id"]) for row in terms},
        )

    async def let_a_day_pass(self) -> None:
        """Let every answer be forgotten: PostgreSQL's clock is its own, so they are made older."""
        sql = "UPDATE answer SET recorded_at = recorded_at - interval '24:00:01' WHERE tenant_id = ANY($1)"
        await self._reader.execute(sql, self._tenants)

    async def _rows(self, sql: str) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._reader.fetch(sql, self._tenants)
        return rows


def attribution(row: asyncpg.Record) -> Attribution:
    actor = Actor(row["key_id"], row["actor"], row["reason"])
    members = (row["tenant_id"], row["id"], row["object_id"], row["command"], actor, row["salt"], row["recorded_at"])
    return Attribution(*members)
