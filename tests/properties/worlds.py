"""Two worlds that live through the same: two workers on PostgreSQL, and one in memory."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

import asyncpg
import msgspec

from owed.core.outcomes import Done, Outcome
from owed.core.settings import settings_of
from owed.database.pool import Pool
from owed.engine.engine import Engine
from owed.engine.pending import Reply
from owed.engine.store import AnswerKey
from owed.model.adjustment import Adjustment, Charge, Credit
from owed.model.answer import Answer, KeptAnswer
from owed.model.attribution import Actor, Attribution
from owed.model.bill import Bill
from owed.model.billing_object import BillingObject
from owed.model.erasure import Erasure
from owed.model.event import Event
from owed.model.named import Named
from owed.model.payment import Payment
from owed.model.payment_document import PaymentDocument
from owed.model.tenant_settings import SettingsRecord, TenantSettings
from owed.model.transfer import Transfer
from owed.store import settings
from owed.store.accounts import ACCOUNTS
from owed.store.adjustments import CHARGES, CREDITS
from owed.store.bills import BILLS
from owed.store.customers import CUSTOMERS
from owed.store.memory import MemoryStore, Tables
from owed.store.payment_documents import ALLOCATIONS, MOVES, REFUNDS, REVERSALS
from owed.store.payments import PAYMENTS
from owed.store.postgres import PostgresStore
from owed.store.records import kept_answer
from owed.store.tables import Table
from tests.core.samples import NOW, Stamps
from tests.properties.requests import Sent
from tests.store.reading import event, transfer

DAY = timedelta(days=1)

Money = Payment | PaymentDocument

MONEY: tuple[Table[Any], ...] = (ALLOCATIONS, MOVES, PAYMENTS, REFUNDS, REVERSALS)
ADJUSTMENTS: tuple[Table[Any], ...] = (CHARGES, CREDITS)
TABLES: tuple[Table[Any], ...] = (ACCOUNTS, BILLS, CUSTOMERS)
"""In the order of their kinds, which is also the order of the keys in memory."""


class Record(NamedTuple):
    """All that a world keeps of some tenants, each table in the order of its key."""

    objects: list[BillingObject]
    payments: list[Money]
    adjustments: list[Adjustment]
    statuses: dict[tuple[int, str], str]
    settings: list[SettingsRecord]
    erasures: list[Erasure]
    transfers: list[Transfer]
    events: list[Event]
    attributions: list[Attribution]
    terms: set[tuple[int, str, str]]
    answers: dict[AnswerKey, KeptAnswer]

    def differences(self, other: Self) -> list[tuple[str, Any, Any]]:
        """List the tables that differ, as they are in both worlds."""
        tables = ((name, getattr(self, name), getattr(other, name)) for name in self._fields)
        return [(name, ours, theirs) for name, ours, theirs in tables if ours != theirs]

    def without_answers(self) -> Self:
        """Give all but the kept answers, which a refusal leaves behind too."""
        return self._replace(answers={})


def render(outcome: Outcome) -> Answer:
    """Make an answer with every member that can be kept."""
    if not isinstance(outcome, Done):
        return Answer(400, msgspec.json.encode(outcome))
    found = outcome.object
    place = f"/there{found.path}" if outcome.created else None
    status = 201 if outcome.created else 200
    return Answer(
        status,
        msgspec.json.encode(found.shown()),
        place,
        f'"{found.version}"',
        str(found.updated_at),
        outcome.reapplied,
    )


async def ask(engine: Engine, sent: Iterable[Sent]) -> list[Reply]:
    """Send requests at the same moment, and give their replies."""
    return await asyncio.gather(
        *(engine.submit(each, render, each.request.idempotency, settings=each.settings) for each in sent)
    )


class InMemory:
    """The world in memory, where a tenant is there as soon as somebody asks for its settings."""

    def __init__(self, clock: Stamps, now: datetime = NOW, tables: Tables | None = None) -> None:
        self.now = now
        self.store = MemoryStore(lambda: self.now)
        self.store.tables = tables or Tables()
        self._clock = clock
        self._engine = Engine(self.store, clock)

    def again(self) -> Self:
        """Give this world a second time, so that one of them can go on in another way."""
        tables = (dict(table) for table in msgspec.structs.astuple(self.store.tables))
        return type(self)(self._clock, self.now, Tables(*tables))

    async def begin(self, tenants: Iterable[int]) -> None:
        """Let there be tenants."""
        await self.store.read([settings_of(tenant_id) for tenant_id in tenants])

    async def ask(self, sent: Sequence[Sent]) -> list[Reply]:
        """Send requests at the same moment."""
        return await ask(self._engine, sent)

    async def ask_in_turn(self, sent: Iterable[Sent]) -> list[Reply]:
        """Send requests one after the other."""
        return [reply for each in sent for reply in await self.ask([each])]

    def settings(self, tenant_id: int) -> TenantSettings:
        """Give the settings of a tenant, as a worker knows them when a request comes."""
        record = self.store.tables.objects[settings_of(tenant_id)]
        assert isinstance(record, SettingsRecord)
        return record.settings

    def objects(self, kind: str, tenant_id: int | None = None) -> list[Named]:
        """List the objects of a kind, of one tenant or of all."""
        keys = [key for key in self.store.tables.objects if key[0] == kind and tenant_id in {None, key[1]}]
        return [self.store.tables.objects[key] for key in sorted(keys)]

    def shown(self, kind: str, tenant_id: int, name: str) -> dict[str, Any]:
        """Give an object as the API shows it, by its id or its reference; nothing where there is none."""
        objects, names = self.store.tables.objects, self.store.tables.names
        key = (kind, tenant_id, name)
        found = objects.get(key) or objects.get(names.get(key, key))
        shown = found.shown() if isinstance(found, BillingObject | SettingsRecord) else {}
        built: dict[str, Any] = msgspec.to_builtins(shown)
        return built

    async def record(self) -> Record:
        """Read everything."""
        tables = self.store.tables
        everything = [item for _, item in sorted(tables.objects.items())]
        objects = [item for item in everything if isinstance(item, BillingObject)]
        payments = [item for item in everything if isinstance(item, Payment | PaymentDocument)]
        adjustments: list[Adjustment] = [item for item in everything if isinstance(item, Charge | Credit)]
        return Record(
            objects,
            payments,
            adjustments,
            {(item.tenant_id, item.id): item.status.value for item in objects if isinstance(item, Bill)},
            [item for item in everything if isinstance(item, SettingsRecord)],
            [item for item in everything if isinstance(item, Erasure)],
            [tables.transfers[key] for key in sorted(tables.transfers)],
            [tables.events[key] for key in sorted(tables.events)],
            [tables.attributions[key] for key in sorted(tables.attributions)],
            {(item.tenant_id, term, item.id) for item in (*objects, *payments, *adjustments) for term in item.terms()},
            {key: kept for key in sorted(tables.answers) if (kept := self.store.kept(key))},
        )

    async def let_a_day_pass(self) -> None:
        """Let every answer be forgotten."""
        self.now += DAY + timedelta(seconds=1)

    async def close(self) -> None:
        await self._engine.close()


class Link(NamedTuple):
    """The ways to PostgreSQL: those of the workers, and the test's own."""

    dsn: str
    pools: tuple[Pool, ...]
    reader: "asyncpg.Connection[Any]"


class OnPostgres:
    """The world on PostgreSQL, which some workers share."""

    def __init__(self, link: Link, clock: Stamps) -> None:
        self.tenants: list[int] = []
        self._workers = [Engine(PostgresStore(pool, link.dsn), clock) for pool in link.pools]
        self._reader = link.reader

    async def begin(self, merchants: int) -> None:
        """Let there be merchants, each with its two tenants."""
        sql = """
              WITH merchant AS (
            INSERT INTO merchant (id, name) SELECT gen_random_uuid(), 'Acme' FROM generate_series(1, $1) RETURNING id
                 )
            INSERT INTO tenant (merchant_id, mode, settings_updated_at)
            SELECT merchant.id, mode, $2 FROM merchant CROSS JOIN unnest(ARRAY['test', 'live']) AS mode
         RETURNING id
        """
        self.tenants = sorted(row["id"] for row in await self._reader.fetch(sql, merchants, NOW))

    async def ask(self, sent: Sequence[Sent], worker: int) -> list[Reply]:
        """Send requests to one worker at the same moment."""
        return await ask(self._workers[worker], sent)

    async def race(self, sent: Sequence[Sent]) -> list[Reply]:
        """Send requests to all workers at the same moment, to each in its turn."""
        workers = len(self._workers)
        asked = await asyncio.gather(*(self.ask(sent[worker::workers], worker) for worker in range(workers)))
        return [asked[place % workers][place // workers] for place in range(len(sent))]

    async def record(self) -> Record:
        """Read everything, with statements of our own."""
        rows = {table.kind: await self._rows(table.kind, "tenant_id, id") for table in (*TABLES, *MONEY, *ADJUSTMENTS)}
        tenants = await self._reader.fetch("SELECT * FROM tenant WHERE id = ANY($1) ORDER BY id", self.tenants)
        erasures = await self._rows("erasure", "tenant_id, id")
        transfers = await self._rows("transfer", "tenant_id, obligation_id, version")
        events = await self._rows("event", "tenant_id, object_id, sequence")
        attributions = await self._rows("attribution", "tenant_id, id")
        terms = await self._rows("search_term", "tenant_id, term, object_id")
        answers = await self._rows("answer", "tenant_id, key", "recorded_at >= now() - interval '24 hours'")
        return Record(
            [table.from_row(row) for table in TABLES for row in rows[table.kind]],
            [table.from_row(row) for table in MONEY for row in rows[table.kind]],
            [table.from_row(row) for table in ADJUSTMENTS for row in rows[table.kind]],
            {(row["tenant_id"], row["id"]): row["status"] for row in rows[Bill.kind]},
            [settings.from_row(row) for row in tenants],
            [erasure(row) for row in erasures],
            [transfer(row) for row in transfers],
            [event(row) for row in events],
            [attribution(row) for row in attributions],
            {(row["tenant_id"], row["term"], row["object_id"]) for row in terms},
            {AnswerKey(row["tenant_id"], row["key"]): kept_answer(row) for row in answers},
        )

    async def let_a_day_pass(self) -> None:
        """Let every answer be forgotten: PostgreSQL's clock is its own, so they are made older."""
        sql = "UPDATE answer SET recorded_at = recorded_at - interval '24:00:01' WHERE tenant_id = ANY($1)"
        await self._reader.execute(sql, self.tenants)

    async def close(self) -> None:
        for worker in self._workers:
            await worker.close()

    async def _rows(self, table: str, order: str, where: str = "true") -> list[asyncpg.Record]:
        sql = f"SELECT * FROM {table} WHERE tenant_id = ANY($1) AND {where} ORDER BY {order}"
        rows: list[asyncpg.Record] = await self._reader.fetch(sql, self.tenants)
        return rows


def erasure(row: asyncpg.Record) -> Erasure:
    return Erasure(**{name: row[name] for name in Erasure.__struct_fields__})


def attribution(row: asyncpg.Record) -> Attribution:
    actor = Actor(row["key_id"], row["actor"], row["reason"])
    members = (row["tenant_id"], row["id"], row["object_id"], row["command"], actor, row["salt"], row["recorded_at"])
    return Attribution(*members)
