"""A worker goes on while a newer one migrates the database under it."""

import asyncio

from owed.store.lists import CustomerQuery, Lists
from owed.store.lookups import Lookups
from tests.core.samples import create, update
from tests.engine.desk import DONE, Desk
from tests.store.workers import pooled, session, worker


async def use_everything(desk: Desk, lookups: Lookups, lists: Lists, tenant: int, suffix: str) -> None:
    """Run every statement on customers: at once, held, looked up, listed."""
    assert await desk.say(create(f"a{suffix}", tenant=tenant), create("b", tenant=tenant)) == [DONE, DONE]
    replies = await desk.say(create("b", tenant=tenant), update("b", tenant=tenant, name=suffix))
    assert replies == ["conflict", DONE]
    assert await lookups.customer(tenant, "b")
    for terms in (frozenset[str](), frozenset({"w:b"})):
        assert (await lists.customers(CustomerQuery(tenant, 5, terms=terms))).customers


async def test_prepared_statements_outlive_a_migration_that_adds_a_column(dsn: str, tenant: int) -> None:
    """PostgreSQL refuses a prepared `SELECT *` once it would give another column, and would do so for ever."""
    async with worker(dsn) as desk, pooled(dsn) as pool, session(dsn) as psql:
        lookups, lists = Lookups(pool), Lists(pool)
        await use_everything(desk, lookups, lists, tenant, "1")
        for table in ("customer", "event", "answer", "transfer", "attribution", "search_term"):
            await psql.execute(f"ALTER TABLE {table} ADD COLUMN added_later text")

        await use_everything(desk, lookups, lists, tenant + 10_000, "2")
        await asyncio.gather(*(desk.ask(update("b", tenant=tenant, name=f"{n}"), f"k{n}") for n in range(5)))
