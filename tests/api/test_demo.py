"""The demo merchant, as a newcomer meets it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from uuid import uuid4

import asyncpg
import pytest

from owed.api.demo import CUSTOMERS, JOHN_DOE, create_demo
from owed.database import migrations
from owed.database.pool import Connection, connect
from owed.store.merchants import list_merchants
from tests.contract.service import Database, Service, dsn_of


@pytest.fixture
def fresh_database(service: Service, database: Database) -> str:
    """A migrated database of the test's own."""
    name = f"demo_{uuid4().hex}"
    database.execute(f"CREATE DATABASE {name}")
    return dsn_of(service).replace("/postgres?", f"/{name}?")


def test_the_first_start_has_john_doe_as_the_documentation_shows_him(service: Service) -> None:
    printed = re.search(r"curl -H 'Authorization: Bearer (\S+)' http://\S+?(/\S+)", service.log.read_text())
    assert printed is not None
    client = service.client(printed[1])
    john = client.get(printed[2]).json()
    listed = client.get("/billing/customers").json()["data"]

    assert john == {"id": john["id"], **JOHN_DOE}
    assert [each["external_reference"] for each in listed] == [each["external_reference"] for each in CUSTOMERS][::-1]


async def _on(dsn: str, work: Callable[[Connection], Awaitable[None]]) -> None:
    connection = await connect(dsn)
    try:
        await migrations.migrate(connection.raw)
        await work(connection)
    finally:
        await connection.raw.close()


def test_what_the_demo_owes_is_in_the_ledger_and_told_in_events(fresh_database: str) -> None:
    async def check(connection: Connection) -> None:
        await create_demo(connection, "Demo")
        transfers = await connection.fetch("SELECT total_after FROM transfer ORDER BY total_after")
        events = await connection.fetch("SELECT type FROM event")

        assert [row["total_after"] for row in transfers] == [-15_000, 2_000, 1_250_000]
        assert [row["type"] for row in events] == ["customer.created"] * len(CUSTOMERS)

    asyncio.run(_on(fresh_database, check))


def test_a_start_that_breaks_halfway_leaves_nothing_and_the_next_one_is_whole(fresh_database: str) -> None:
    async def check(connection: Connection) -> None:
        await connection.raw.execute("ALTER TABLE event RENAME TO elsewhere")
        with pytest.raises(asyncpg.UndefinedTableError):
            await create_demo(connection, "Demo")
        assert await list_merchants(connection) == []
        await connection.raw.execute("ALTER TABLE elsewhere RENAME TO event")
        assert await create_demo(connection, "Demo") is not None
        assert await create_demo(connection, "Demo") is None
        assert len(await connection.fetch("SELECT FROM customer")) == len(CUSTOMERS)

    asyncio.run(_on(fresh_database, check))
