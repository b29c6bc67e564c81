"""The feed: what follows a place, once and in order, and nothing before what has been read (migrations/0005)."""

import asyncio
import logging
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import pytest

from owed.cli.session import current
from owed.core.state import Name
from owed.database import DatabaseError
from owed.database.pool import Pool
from owed.model.identifiers import base62, uuid7
from owed.settings import Settings
from owed.store import feed
from owed.store.feed import LEAP, START, Feed, FeedPage, FeedQuery, Place, go_on_after_restore
from owed.store.postgres import PostgresStore
from tests.core.samples import NOW, Stamps, create, create_account, create_bill, update, update_account, update_bill
from tests.database.places import connected, value
from tests.engine.desk import DONE
from tests.store.conftest import TEMPLATE, database
from tests.store.metering import Meter
from tests.store.saving import carried_out
from tests.store.workers import Session, blocked_backends, pooled, session, worker

INSERT = """
    INSERT INTO event (tenant_id, object_id, sequence, id, type, body, recorded_at)
    VALUES ($1, $2, $3, $4, $5, $6, now())
"""

numbers = count(1)


async def tell(
    psql: Session, tenant: int, object_id: str = "bill_1", kind: str = "bill.paid", sequence: int = 1
) -> str:
    """Write an event, and give its id. The later it is written, the lower is the id."""
    event_id = "evt_" + base62(uuid7(10**9 - next(numbers), 1))
    await psql.execute(INSERT, tenant, object_id, sequence, event_id, kind, event_id.encode())
    return event_id


def ids(page: FeedPage) -> list[str]:
    return [body.decode() for body in page.bodies]


async def read_on(pool: Pool, tenant: int, after: Place = START, limit: int = 3, **filters: Any) -> list[str]:
    """Read page after page until there is nothing more, and give the ids."""
    found: list[str] = []
    while True:
        page = await Feed(pool).page(FeedQuery(tenant, limit, after, **filters))
        if page.place == after:
            return found
        found, after = found + ids(page), page.place


# The order of the feed


async def test_a_reader_waits_for_what_began_before_and_then_sees_all_of_it_in_one_order(dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as early, session(dsn) as late:
        first = await tell(late, tenant, "bill_1")
        await early.execute("BEGIN")
        second = await tell(early, tenant, "bill_2")
        third = await tell(late, tenant, "bill_3")
        meanwhile = await read_on(pool, tenant)
        await early.execute("COMMIT")
        fourth = await tell(late, tenant, "bill_4")

        assert meanwhile == [first]
        assert await read_on(pool, tenant) == [first, second, third, fourth]


async def test_what_was_undone_holds_up_nobody(dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as early, session(dsn) as late:
        await early.execute("BEGIN")
        await tell(early, tenant, "bill_1")
        told = await tell(late, tenant, "bill_2")
        meanwhile = await read_on(pool, tenant)
        await early.execute("ROLLBACK")

        assert (meanwhile, await read_on(pool, tenant)) == ([], [told])


async def test_one_that_only_reads_holds_up_nobody(dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as reader, session(dsn) as psql:
        await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await reader.fetch("SELECT FROM event")
        told = await tell(psql, tenant)

        assert await read_on(pool, tenant) == [told]


async def test_when_all_is_quiet_the_last_event_can_be_read_at_once(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, pooled(dsn) as pool:
        lengths = []
        for number in range(1, 6):
            await desk.say(create(f"a{number}", tenant=tenant))
            lengths.append(len(await read_on(pool, tenant)))

    assert lengths == [1, 2, 3, 4, 5]


async def test_the_events_of_one_object_come_in_their_sequence_whoever_began_first(dsn: str, tenant: int) -> None:
    """A transaction has its number from the first object that it holds, and then waits; its events come later."""
    async with pooled(dsn) as pool, worker(dsn) as desk, session(dsn) as psql, session(dsn) as holder:
        await desk.say(create("a", tenant=tenant))
        await desk.say(create_account("b", customer="a", tenant=tenant))
        await desk.say(create_bill("c", customer="a", tenant=tenant))
        await holder.execute("BEGIN")
        await holder.execute("SELECT FROM account WHERE tenant_id = $1 FOR UPDATE", tenant)
        waiting = asyncio.create_task(change_all(PostgresStore(pool, dsn), tenant))
        await blocked_backends(psql)
        assert await desk.say(update_bill("c", tenant=tenant, metadata={"by": "the second"})) == [DONE]
        await holder.execute("ROLLBACK")
        number = await waiting

        sql = "SELECT * FROM event WHERE tenant_id = $1 AND type = 'bill.updated' ORDER BY sequence"
        second, first = await psql.fetch(sql, tenant)
        assert number < second["position"]  # by the number alone they would change places
        assert second["position"] <= first["position"]
        bodies = (await Feed(pool).page(FeedQuery(tenant, 100))).bodies
        assert bodies.index(second["body"]) < bodies.index(first["body"])


async def change_all(store: PostgresStore, tenant: int) -> int:
    """Hold three objects one after another and change them all; give the number of the transaction."""
    names = [Name(kind, tenant, name) for kind, name in (("customer", "a"), ("account", "b"), ("bill", "c"))]
    async with store.held(names, {}, lock_wait=20) as held:
        (row,) = await held._connection.fetch("SELECT pg_current_xact_id()::text::bigint AS number")
        changes = (
            update("a", tenant=tenant, name="New"),
            update_account("b", tenant=tenant, name="New"),
            update_bill("c", tenant=tenant, metadata={"by": "the first"}),
        )
        await held.write(carried_out(held.state, *changes, stamps=Stamps(1_000_000)))
    number: int = row["number"]
    return number


async def test_what_stood_before_there_was_a_feed_comes_first(dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        old = [await tell(psql, tenant, "bill_1", sequence=number) for number in (1, 2)]
        old.insert(1, await tell(psql, tenant, "bill_2"))
        await psql.execute("UPDATE event SET position = 0 WHERE tenant_id = $1", tenant)
        new = await tell(psql, tenant, "bill_1", sequence=3)

        found = await read_on(pool, tenant, limit=1)
    assert (sorted(found[:2]), found[2:]) == (sorted([old[0], old[1]]), [old[2], new])


async def test_all_events_of_a_statement_have_one_position(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, session(dsn) as psql:
        await desk.say(create("a", tenant=tenant, currency="ZAR"), *(create(f"b{n}", tenant=tenant) for n in range(9)))

        rows = await psql.fetch("SELECT position FROM event WHERE tenant_id = $1", tenant)
    assert (len(rows), len({row["position"] for row in rows}) <= len(desk.batch_sizes)) == (10, True)


# Pages


class Loaded(NamedTuple):
    """Many events of a tenant of their own, in the order of the feed: of one hot object and of many."""

    dsn: str
    events: list[tuple[str, str, str]]


MANY = 10_000
HOT, COLD = "bacc_hot", "bill_3"
TENANT = 1_000_000


@pytest.fixture(scope="module")
def loaded(dsn: str) -> Loaded:
    """Every second event is of the hot object; one in three thousand is a void."""
    made, sequences = [], dict[str, int]()
    for number in range(MANY):
        object_id = HOT if number % 2 else f"bill_{number % 1001}"
        kind = "bill.voided" if number % 3000 == 1 else "bill.paid"
        sequences[object_id] = sequences.get(object_id, 0) + 1
        event_id = "evt_" + base62(uuid7(MANY - number, 1))
        made.append((number // 2 + 1, sequences[object_id], event_id, object_id, kind))

    async def fill(psql: Any) -> None:
        rows = [
            (tenant, object_id, sequence, event_id, kind, event_id.encode(), NOW, position)
            for tenant in (TENANT, TENANT + 1)
            for position, sequence, event_id, object_id, kind in made
        ]
        names = ["tenant_id", "object_id", "sequence", "id", "type", "body", "recorded_at", "position"]
        await psql.copy_records_to_table("event", records=rows, columns=names)
        await psql.execute("UPDATE feed SET shift = $1", MANY)

    connected(dsn, fill)
    return Loaded(dsn, [event[2:] for event in sorted(made)])


FILTERS: dict[str, tuple[dict[str, Any], Callable[[str, str], bool]]] = {
    "everything": ({}, lambda object_id, kind: True),
    "a type": ({"type": "bill.paid"}, lambda object_id, kind: kind == "bill.paid"),
    "a rare type": ({"type": "bill.voided"}, lambda object_id, kind: kind == "bill.voided"),
    "no type": ({"type": "customer.created"}, lambda object_id, kind: False),
    "a hot object": ({"object_id": HOT}, lambda object_id, kind: object_id == HOT),
    "an object": ({"object_id": COLD}, lambda object_id, kind: object_id == COLD),
    "both": (
        {"object_id": HOT, "type": "bill.voided"},
        lambda object_id, kind: (object_id, kind) == (HOT, "bill.voided"),
    ),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_pages_lead_from_the_first_event_to_the_last_and_show_what_is_asked_for(
    loaded: Loaded, name: str
) -> None:
    filters, takes = FILTERS[name]
    wanted = [event_id for event_id, object_id, kind in loaded.events if takes(object_id, kind)]
    async with pooled(loaded.dsn, 1) as pool:
        assert await read_on(pool, TENANT, limit=100, **filters) == wanted


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("after", [START, Place(MANY // 4, MANY // 4, "")], ids=["first", "deep"])
async def test_any_page_reads_few_buffers(loaded: Loaded, name: str, after: Place) -> None:
    """What is rare is looked for among 2,000 events, and from there by the next page."""
    meter = Meter(loaded.dsn)
    query = FeedQuery(TENANT, 20, after, **FILTERS[name][0])
    try:
        await Feed(meter).page(query)
        meter.buffers = 0
        await Feed(meter).page(query)
    finally:
        await meter.close()

    assert meter.buffers < (400 if name in {"a rare type", "no type", "both"} else 60)


async def test_a_page_that_finds_nothing_leads_on_all_the_same(loaded: Loaded) -> None:
    async with pooled(loaded.dsn, 1) as pool:
        pages = [await Feed(pool).page(FeedQuery(TENANT, 20, type="customer.created"))]
        pages.append(await Feed(pool).page(FeedQuery(TENANT, 20, pages[0].place, type="customer.created")))

    assert [page.bodies for page in pages] == [[], []]
    assert [page.place.event_id for page in pages] == [loaded.events[number][0] for number in (1999, 3999)]


async def test_a_reader_at_the_end_stays_there_and_goes_on_from_there(dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        empty = await Feed(pool).page(FeedQuery(tenant, 5))
        first = await tell(psql, tenant)
        page = await Feed(pool).page(FeedQuery(tenant, 5, empty.place))
        end = await Feed(pool).page(FeedQuery(tenant, 5, page.place))
        second = await tell(psql, tenant, sequence=2)
        last = await Feed(pool).page(FeedQuery(tenant, 5, end.place))

    assert [ids(each) for each in (empty, page, end, last)] == [[], [first], [], [second]]
    assert (empty.place, end.place) == (START, page.place)


# A database that was restored from another server

ENDPOINT = """
    INSERT INTO webhook_endpoint (tenant_id, id, url, types, enabled, secrets, is_listener, starts_at, resumed_at,
                                  version, created_at, updated_at)
    VALUES ($1, 'we_1', 'https://example.com', '*', true, '[]', false, now(), now(), 1, now(), now())
"""
FAR = 10**12


@pytest.fixture(scope="module")
def old_dsn(server: str) -> str:
    """A database whose feed may be shifted."""
    value(server, f"CREATE DATABASE owed_restored TEMPLATE {TEMPLATE}")
    return database(server, "owed_restored")


async def restored(psql: Session, table: str) -> None:
    """Have what is in a table look as if a server had written it that has seen far more transactions."""
    await psql.execute(f"UPDATE {table} SET position = position + {FAR}")


async def a_tenant(psql: Session) -> int:
    merchant = f"mer_{next(numbers)}"
    await psql.execute("INSERT INTO merchant (id, name) VALUES ($1, 'Acme')", merchant)
    tenant: int = await psql.fetchval(
        "INSERT INTO tenant (merchant_id, mode) VALUES ($1, 'test') RETURNING id", merchant
    )
    return tenant


async def shift(psql: Session) -> int:
    found: int = await psql.fetchval("SELECT shift FROM feed")
    return found


async def resume(dsn: str) -> None:
    async with pooled(dsn, 1) as pool, pool.connection() as connection:
        await go_on_after_restore(connection)


async def test_a_restored_database_goes_on_with_new_events_after_the_old_ones(
    old_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with pooled(old_dsn) as pool, session(old_dsn) as psql:
        tenant = await a_tenant(psql)
        old = [await tell(psql, tenant, sequence=number) for number in (1, 2)]
        await restored(psql, "event")
        assert await read_on(pool, tenant) == []
        with caplog.at_level(logging.WARNING, "owed.store"):
            await resume(old_dsn)
        page = await Feed(pool).page(FeedQuery(tenant, 5))
        new = await tell(psql, tenant, sequence=3)

        assert ids(page) == old
        assert await read_on(pool, tenant, page.place) == [new]
        assert "was restored from another server" in caplog.text


async def test_a_reader_who_has_seen_more_than_was_backed_up_misses_nothing_of_what_is_new(old_dsn: str) -> None:
    async with pooled(old_dsn) as pool, session(old_dsn) as psql:
        tenant = await a_tenant(psql)
        await tell(psql, tenant)
        await restored(psql, "event")
        highest = await psql.fetchval("SELECT max(position) FROM event")
        seen = Place(highest + 10**9, 1, "evt_lost")
        await resume(old_dsn)
        new = await tell(psql, tenant, sequence=2)

        assert await read_on(pool, tenant, seen) == [new]


async def test_an_endpoint_that_is_further_than_any_event_gets_what_is_new(old_dsn: str) -> None:
    """Its place may be higher than that of any event: it was made later, or those are pruned."""
    async with session(old_dsn) as psql:
        tenant = await a_tenant(psql)
        await psql.execute(ENDPOINT, tenant)
        await restored(psql, "webhook_endpoint")
        await resume(old_dsn)
        new = await tell(psql, tenant)

        later = "SELECT event.position > endpoint.position FROM event, webhook_endpoint AS endpoint WHERE event.id = $1"
        assert await psql.fetchval(later, new)


async def test_the_shift_is_raised_once_and_only_where_it_must_be(
    old_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with session(old_dsn) as psql, session(old_dsn) as early:
        tenant, before = await a_tenant(psql), await shift(psql)
        await resume(old_dsn)
        await early.execute("BEGIN")
        await tell(early, tenant, "bill_1")
        await tell(psql, tenant, "bill_2")
        await psql.execute(ENDPOINT, tenant)
        await resume(old_dsn)  # what stands above the end of the feed for a moment is no sign of another server
        await early.execute("COMMIT")
        await resume(old_dsn)
        assert (await shift(psql), caplog.text) == (before, "")
        await restored(psql, "event")
        await asyncio.gather(*(resume(old_dsn) for _ in range(3)))
        raised = await shift(psql)
        await resume(old_dsn)

        assert await shift(psql) == raised
        assert before + FAR < raised < before + FAR + LEAP + 1000
        assert caplog.text.count("was restored") == 1


async def test_the_shift_is_not_raised_while_an_event_is_written_with_the_old_one(
    old_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would stand below the end of the feed while nobody can see it, and those who read would pass it."""
    async with (
        session(old_dsn) as psql,
        session(old_dsn) as early,
        session(old_dsn) as watcher,
        pooled(old_dsn) as pool,
    ):
        tenant = await a_tenant(psql)
        await tell(psql, tenant, "bill_1")
        await restored(psql, "event")
        await early.execute("BEGIN")
        await tell(early, tenant, "bill_2")
        resuming = asyncio.create_task(resume(old_dsn))
        await blocked_backends(watcher)
        writing = asyncio.create_task(tell(psql, tenant, "bill_3"))
        await blocked_backends(watcher, 2)
        await early.execute("COMMIT")
        await resuming
        last = await writing

        assert (await read_on(pool, tenant))[-1] == last
        await restored(psql, "event")
        await early.execute("BEGIN")
        await tell(early, tenant, "bill_4")
        monkeypatch.setattr(feed, "LOCK", feed.LOCK.replace("5s", "10ms"))
        with pytest.raises(DatabaseError, match="try again"):
            await resume(old_dsn)


def test_the_shift_is_looked_at_wherever_the_schema_is(old_dsn: str) -> None:
    async def restore(psql: Any) -> None:
        await tell(psql, await a_tenant(psql))
        await restored(psql, "event")

    before = value(old_dsn, "SELECT shift FROM feed")
    connected(old_dsn, restore)
    with current(Settings(database_url=old_dsn)):
        assert value(old_dsn, "SELECT shift FROM feed") > before + FAR
