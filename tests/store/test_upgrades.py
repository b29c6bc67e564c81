"""A worker goes on while a newer one migrates the database under it, and what an older one left stands."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from owed.core.accounts import AccountMembers
from owed.core.state import Name
from owed.database import migrations
from owed.model.payment_rules import DefaultRules
from owed.model.tenant_settings import TenantSettings
from owed.store.list_queries import Due, ListQuery
from owed.store.lists import Lists
from owed.store.lookups import Lookups
from tests.core.samples import RULES, create, create_account, create_bill, update, update_bill, update_settings
from tests.database.places import connected, value
from tests.engine.desk import DONE, Desk
from tests.store.conftest import database
from tests.store.reading import read_objects, read_transfers
from tests.store.workers import pooled, session, worker

KINDS = ("customer", "account", "bill")
TABLES = (*KINDS, "event", "answer", "transfer", "attribution", "search_term", "tenant")


async def use_everything(desk: Desk, lookups: Lookups, lists: Lists, tenant: int, suffix: str) -> None:
    """Run every statement on objects: at once, held, looked up, listed."""
    assert await desk.say(create(f"a{suffix}", tenant=tenant), create("b", tenant=tenant)) == [DONE, DONE]
    account = AccountMembers(external_reference="b", customer="b")
    assert await desk.say(create_bill("b", account=account, tenant=tenant)) == [DONE]
    replies = await desk.say(
        create_account("b", customer="b", tenant=tenant),
        create_bill("b", account="b", tenant=tenant),
        update("b", tenant=tenant, name=suffix),
        update_bill("b", tenant=tenant, amount_paid=1, currency="ZAR"),
    )
    assert replies == ["conflict", "conflict", DONE, DONE]
    for kind in KINDS:
        assert await lookups.find(Name(kind, tenant, "b"))
        for terms in (frozenset[str](), frozenset({"w:b"})):
            assert (await lists.page(ListQuery(kind, tenant, 5, terms=terms))).objects
    assert not (await lists.page(ListQuery("bill", tenant, 5, due=Due()))).objects


async def test_prepared_statements_outlive_a_migration_that_adds_a_column(dsn: str, merchants_tenant: int) -> None:
    """PostgreSQL refuses a prepared `SELECT *` once it would give another column, and would do so for ever."""
    tenant = merchants_tenant
    async with worker(dsn) as desk, pooled(dsn) as pool, session(dsn) as psql:
        lookups, lists = Lookups(pool), Lists(pool)
        await use_everything(desk, lookups, lists, tenant, "1")
        assert await desk.say(update_settings(tenant=tenant, time_zone="Asia/Kathmandu")) == [DONE]
        for table in TABLES:
            await psql.execute(f"ALTER TABLE {table} ADD COLUMN added_later text")

        await use_everything(desk, lookups, lists, tenant + 10_000, "2")
        assert await desk.say(update_settings(tenant=tenant, time_zone="UTC")) == [DONE]
        assert await lookups.find(Name("settings", tenant, "settings"))
        await asyncio.gather(*(desk.ask(update("b", tenant=tenant, name=f"{n}"), f"k{n}") for n in range(5)))


# From the first schema, which knew customers alone


@pytest.fixture
def old_dsn(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database as the program before this one left it."""
    value(server, "CREATE DATABASE owed_old")
    dsn = database(server, "owed_old")
    with monkeypatch.context() as patch:
        first: Sequence[migrations.Migration] = migrations.known()[:1]
        patch.setattr(migrations, "known", lambda: first)
        connected(dsn, migrations.migrate)
    return dsn


LEFT = {
    1: ("{}", TenantSettings()),
    2: ('{"require_idempotency_key": true}', TenantSettings(require_idempotency_key=True)),
    3: (
        f'{{"payment_rules": {{"customer": {msgspec.json.encode(RULES).decode()}}}}}',
        TenantSettings(payment_rules=DefaultRules(customer=RULES)),
    ),
}
"""What the settings of a tenant may have been, and what they mean."""

NEWER = ("payment_id", "taken_back_id", "document_id")
"""Columns of transfers that the first program did not know, and that this one leaves empty where it did the same."""

LATER = """
    ALTER TABLE customer ADD recent_payments json;
    ALTER TABLE event ADD position bigint;
    CREATE FUNCTION feed_position() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'
"""
NOT_YET = """
    ALTER TABLE customer DROP recent_payments;
    ALTER TABLE event DROP position;
    DROP FUNCTION feed_position;
"""
"""The first program took no payments, and its events had no place in a feed; this one asks for both."""


async def test_what_the_first_schema_held_stands_and_goes_on_in_the_next(old_dsn: str) -> None:
    async with worker(old_dsn) as desk, session(old_dsn) as psql, pooled(old_dsn) as pool:
        await psql.execute("INSERT INTO merchant (id, name) SELECT n, n FROM generate_series(1, 3) AS n")
        for tenant, (settings, _) in LEFT.items():
            insert = "INSERT INTO tenant (merchant_id, mode, settings) VALUES ($1, 'test', $2) RETURNING id"
            assert await psql.fetchval(insert, str(tenant), settings) == tenant
        await psql.execute(f"ALTER TABLE transfer {', '.join(f'ADD {column} text' for column in NEWER)}; {LATER}")
        await desk.say(create("a", tenant=1, currency="ZAR", balance=5), create("b", tenant=1, name="Bea"))
        await desk.say(update("a", tenant=1, balance=7))
        customers, transfers = await read_objects(psql, "customer", 1), await read_transfers(psql, 1)
        await psql.execute(f"ALTER TABLE transfer {', '.join(f'DROP {column}' for column in NEWER)}; {NOT_YET}")

        assert await migrations.migrate(psql) == [f"{each.version:04}_{each.name}" for each in migrations.known()[1:]]
        lookups, lists = Lookups(pool), Lists(pool)
        assert await read_objects(psql, "customer", 1) == customers
        assert await read_transfers(psql, 1) == transfers
        found = [await lookups.find(Name("settings", tenant, "settings")) for tenant in LEFT]
        assert [(record.settings, record.version) for record in found] == [(means, 1) for _, means in LEFT.values()]

        assert await desk.say(update_settings(tenant=3, time_zone="Asia/Kathmandu")) == [DONE]
        await use_everything(desk, lookups, lists, 2, "1")
        assert await desk.say(create_bill("c", customer="a", tenant=1), update("a", tenant=1, balance=8)) == [DONE] * 2
