"""Look-ups: coalesced, and never older than what their caller has seen (docs/architecture.md, "reads")."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from owed.core.settings import settings_of
from owed.core.state import Name
from owed.database import pool as database_pool
from owed.engine.store import Unavailable
from owed.store import lookups
from owed.store.lookups import Lookups
from tests.core.samples import create, create_account, create_bill
from tests.engine.desk import DONE
from tests.store.relay import Fate, relayed
from tests.store.workers import pooled, worker


def customer(tenant: int, name: str) -> Name:
    return Name("customer", tenant, name)


@asynccontextmanager
async def looking_up(dsn: str) -> AsyncIterator[tuple[Lookups, list[int]]]:
    """Open look-ups, and a list that fills with the sizes of their queries."""
    async with pooled(dsn) as pool:
        found, sizes = Lookups(pool), list[int]()
        found.batch_sizes = sizes.append
        yield found, sizes


async def test_lookups_of_the_same_moment_are_one_query(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, looking_up(dsn) as (found, sizes):
        await desk.say(*(create(f"c{number}", tenant=tenant) for number in range(50)))
        customers = await asyncio.gather(*(found.find(customer(tenant, f"c{number}")) for number in range(50)))

        assert [somebody.external_reference for somebody in customers] == [f"c{n}" for n in range(50)]
        again = await asyncio.gather(*(found.find(customer(tenant, somebody.id)) for somebody in customers))
        assert (again, sizes) == (customers, [50, 50])


async def test_objects_of_every_kind_are_found_each_by_its_own(dsn: str, merchants_tenant: int) -> None:
    tenant = merchants_tenant
    async with worker(dsn) as desk, looking_up(dsn) as (found, sizes):
        await desk.say(create("same", tenant=tenant))
        await desk.say(create_account("same", customer="same", tenant=tenant))
        await desk.say(create_bill("same", account="same", tenant=tenant))
        kinds = ("customer", "account", "bill", "settings")
        objects = await asyncio.gather(*(found.find(Name(kind, tenant, "same")) for kind in kinds[:3]))
        settings = await found.find(settings_of(tenant))

        assert [item.kind for item in (*objects, settings)] == [*kinds]
        crossed = [Name(kind, tenant, item.id) for kind in kinds[:3] for item in objects]
        again = await asyncio.gather(*map(found.find, crossed))
        assert [item for item in again if item] == objects
        assert sizes == [3, 1, 9]


async def test_a_bills_id_is_tried_before_the_reference_of_another(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, looking_up(dsn) as (found, _):
        await desk.say(create("c", tenant=tenant))
        await desk.say(create_bill("first", customer="c", tenant=tenant))
        first = await found.find(Name("bill", tenant, "first"))
        await desk.say(create_bill(first.id, customer="c", tenant=tenant))

        assert await found.find(Name("bill", tenant, first.id)) == first


async def test_a_query_is_bounded(dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "MOST", 10)
    async with looking_up(dsn) as (found, sizes):
        assert (
            await asyncio.gather(*(found.find(customer(tenant, f"c{number}")) for number in range(25))) == [None] * 25
        )

        assert sizes == [10, 10, 5]


@pytest.mark.parametrize("name", ["nobody", "bcus_nobody", "", "a b", "a" * 300, "a\0b", "\ud800", "é", "' OR true --"])
async def test_what_can_be_no_name_is_nobody(dsn: str, tenant: int, name: str) -> None:
    """And it disturbs nobody who is looked up beside it."""
    async with worker(dsn) as desk, looking_up(dsn) as (found, sizes):
        await desk.ask(create("a", tenant=tenant))
        nobody, somebody = await asyncio.gather(found.find(customer(tenant, name)), found.find(customer(tenant, "a")))

        assert (nobody, somebody is None, sizes) == (None, False, [2])


async def test_each_tenant_finds_its_own(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, looking_up(dsn) as (found, _):
        await desk.say(create("a", tenant=tenant, name="mine"))
        mine = await found.find(customer(tenant, "a"))
        assert mine is not None

        assert await found.find(customer(tenant + 10_000, "a")) is None
        assert await found.find(customer(tenant + 10_000, mine.id)) is None


async def test_a_lookup_never_joins_a_query_that_was_already_sent(dsn: str, tenant: int) -> None:
    """The first query has been answered before the customer was created, but its answer is still on its way."""
    async with relayed(dsn) as (relay, through), worker(dsn) as desk, looking_up(through) as (found, sizes):
        await found.find(customer(tenant, "warm"))
        relay.strike(b"hidden", Fate.WITHHELD)
        early = found.find(customer(tenant, "hidden"))
        await relay.answered.wait()
        assert await desk.say(create("hidden", tenant=tenant)) == [DONE]

        assert await found.find(customer(tenant, "hidden")) is not None
        assert (early.done(), sizes) == (False, [1, 1, 1])
        relay.released.set()
        assert await early is None


async def test_a_lookup_waits_for_the_next_query_where_all_are_sent(
    dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "IN_FLIGHT", 1)
    async with relayed(dsn) as (relay, through), worker(dsn) as desk, looking_up(through) as (found, _):
        relay.strike(b"hidden", Fate.WITHHELD)
        early = found.find(customer(tenant, "hidden"))
        await relay.answered.wait()
        assert await desk.say(create("hidden", tenant=tenant)) == [DONE]
        late = found.find(customer(tenant, "hidden"))
        relay.released.set()

        assert (await early, (await late) is None) == (None, False)


async def test_who_is_no_longer_waited_for_disturbs_nobody(dsn: str, tenant: int) -> None:
    """Case 12: the client of one of them has hung up."""
    async with worker(dsn) as desk, looking_up(dsn) as (found, _):
        await desk.ask(create("a", tenant=tenant))
        gone, here = found.find(customer(tenant, "a")), found.find(customer(tenant, "a"))
        gone.cancel()

        assert await here is not None


async def test_all_who_wait_hear_of_a_connection_that_died_and_the_next_finds_another(dsn: str, tenant: int) -> None:
    async with relayed(dsn) as (relay, through), looking_up(through) as (found, _):
        relay.strike(b"c1", Fate.CUT_BEFORE)
        failed = await asyncio.gather(
            *(found.find(customer(tenant, f"c{number}")) for number in range(3)), return_exceptions=True
        )

        assert [type(error) for error in failed] == [Unavailable] * 3
        assert await found.find(customer(tenant, "c1")) is None


async def test_a_server_that_is_not_there_is_told_to_all_who_wait(tenant: int) -> None:
    async with looking_up("postgresql://owed@/none?host=/nonexistent") as (found, _):
        with pytest.raises(Unavailable):
            await found.find(customer(tenant, "a"))


async def test_sessions_are_as_the_service_needs_them(dsn: str) -> None:
    """What frees a dead worker's locks, and what keeps a slow statement from holding up a batch."""
    async with pooled(dsn) as pool, pool.connection() as connection:
        shown = {
            name: (await connection.raw.fetchval(f"SHOW {name}"))
            for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "timezone")
        }
        assert shown == {
            "lock_timeout": "250ms",
            "statement_timeout": "15s",
            "idle_in_transaction_session_timeout": "5s",
            "timezone": "UTC",
        }


async def test_a_connection_keeps_so_many_statements_prepared_and_no_more(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch has a statement for each set of tables that it writes."""
    monkeypatch.setattr(database_pool, "MOST_PREPARED", 3)
    async with pooled(dsn) as pool, pool.connection() as connection:
        for number in [*range(10), *range(10)]:
            assert (await connection.fetch(f"SELECT {number} AS number"))[0]["number"] == number

        prepared = await connection.raw.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'owed%'")
        assert prepared <= 4  # one is closed with the next that is sent
