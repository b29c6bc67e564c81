"""Look-ups: coalesced, and never older than what their caller has seen (docs/architecture.md, "reads")."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from owed.engine.store import Unavailable
from owed.store import lookups
from owed.store.lookups import Lookups
from tests.core.samples import create
from tests.engine.desk import DONE
from tests.store.relay import Fate, relayed
from tests.store.workers import pooled, worker


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
        customers = await asyncio.gather(*(found.customer(tenant, f"c{number}") for number in range(50)))

        assert [customer and customer.external_reference for customer in customers] == [f"c{n}" for n in range(50)]
        again = await asyncio.gather(*(found.customer(tenant, customer.id) for customer in customers if customer))
        assert (again, sizes) == (customers, [50, 50])


async def test_a_query_is_bounded(dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "MOST", 10)
    async with looking_up(dsn) as (found, sizes):
        assert await asyncio.gather(*(found.customer(tenant, f"c{number}") for number in range(25))) == [None] * 25

        assert sizes == [10, 10, 5]


@pytest.mark.parametrize("name", ["nobody", "bcus_nobody", "", "a b", "a" * 300, "a\0b", "\ud800", "é", "' OR true --"])
async def test_what_can_be_no_name_is_nobody(dsn: str, tenant: int, name: str) -> None:
    """And it disturbs nobody who is looked up beside it."""
    async with worker(dsn) as desk, looking_up(dsn) as (found, sizes):
        await desk.ask(create("a", tenant=tenant))
        nobody, somebody = await asyncio.gather(found.customer(tenant, name), found.customer(tenant, "a"))

        assert (nobody, somebody is None, sizes) == (None, False, [2])


async def test_each_tenant_finds_its_own(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, looking_up(dsn) as (found, _):
        await desk.say(create("a", tenant=tenant, name="mine"))
        mine = await found.customer(tenant, "a")
        assert mine is not None

        assert await found.customer(tenant + 10_000, "a") is None
        assert await found.customer(tenant + 10_000, mine.id) is None


async def test_a_lookup_never_joins_a_query_that_was_already_sent(dsn: str, tenant: int) -> None:
    """The first query has been answered before the customer was created, but its answer is still on its way."""
    async with relayed(dsn) as (relay, through), worker(dsn) as desk, looking_up(through) as (found, sizes):
        await found.customer(tenant, "warm")
        relay.strike(b"hidden", Fate.WITHHELD)
        early = found.customer(tenant, "hidden")
        await relay.answered.wait()
        assert await desk.say(create("hidden", tenant=tenant)) == [DONE]

        assert await found.customer(tenant, "hidden") is not None
        assert (early.done(), sizes) == (False, [1, 1, 1])
        relay.released.set()
        assert await early is None


async def test_a_lookup_waits_for_the_next_query_where_all_are_sent(
    dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "IN_FLIGHT", 1)
    async with relayed(dsn) as (relay, through), worker(dsn) as desk, looking_up(through) as (found, _):
        relay.strike(b"hidden", Fate.WITHHELD)
        early = found.customer(tenant, "hidden")
        await relay.answered.wait()
        assert await desk.say(create("hidden", tenant=tenant)) == [DONE]
        late = found.customer(tenant, "hidden")
        relay.released.set()

        assert (await early, (await late) is None) == (None, False)


async def test_who_is_no_longer_waited_for_disturbs_nobody(dsn: str, tenant: int) -> None:
    """Case 12: the client of one of them has hung up."""
    async with worker(dsn) as desk, looking_up(dsn) as (found, _):
        await desk.ask(create("a", tenant=tenant))
        gone, here = found.customer(tenant, "a"), found.customer(tenant, "a")
        gone.cancel()

        assert await here is not None


async def test_all_who_wait_hear_of_a_connection_that_died_and_the_next_finds_another(dsn: str, tenant: int) -> None:
    async with relayed(dsn) as (relay, through), looking_up(through) as (found, _):
        relay.strike(b"c1", Fate.CUT_BEFORE)
        failed = await asyncio.gather(
            *(found.customer(tenant, f"c{number}") for number in range(3)), return_exceptions=True
        )

        assert [type(error) for error in failed] == [Unavailable] * 3
        assert await found.customer(tenant, "c1") is None


async def test_a_server_that_is_not_there_is_told_to_all_who_wait(tenant: int) -> None:
    async with looking_up("postgresql://owed@/none?host=/nonexistent") as (found, _):
        with pytest.raises(Unavailable):
            await found.customer(tenant, "a")


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
