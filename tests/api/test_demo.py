"""The demo merchant, as a newcomer meets it."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from uuid import uuid4

import asyncpg
import pytest

from owed.api.demo import CUSTOMERS, JOHN_DOE, PAID, create_demo
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


PRINTED = re.compile(r"curl -H 'Authorization: Bearer (\S+)' http://\S+?(/\S+)")


def printed(service: Service) -> tuple[str, str]:
    """Read the key and the path of the line to paste that the first start has printed."""
    found = PRINTED.search(service.log.read_text())
    assert found is not None
    return found[1], found[2]


def test_the_first_start_has_john_doe_as_the_documentation_shows_him(service: Service) -> None:
    key, path = printed(service)
    client = service.client(key)
    john = client.get(path).json()
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


def test_a_newcomer_has_bills_of_every_kind_to_look_at(service: Service) -> None:
    client = service.client(printed(service)[0])

    def references(query: str) -> list[str]:
        return [each["external_reference"] for each in client.get(f"/billing/bills?{query}").json()["data"]]

    assert references("overdue=true") == ["INV-1004", "INV-1002"]
    assert references("status=paid") == ["UBR1234567888", "INV-1005", "INV-1001"]
    assert references("status=voided") == ["INV-1006"]
    assert references("account=UAR1234567889") == ["INV-1003"]
    assert references("customer=UCR1234567890") == ["UBR1234567890", "UBR1234567889", "UBR1234567888"]


def test_what_the_demo_owes_is_in_the_ledger_and_told_in_events(fresh_database: str) -> None:
    async def check(connection: Connection) -> None:
        await create_demo(connection, "Demo")
        causes = Counter(row["cause"] for row in await connection.fetch("SELECT cause FROM transfer"))
        events = Counter(row["type"] for row in await connection.fetch("SELECT type FROM event"))

        assert causes == {"opening": 5, "bill_raised": 10, "correction": len(PAID), "void": 1}
        assert events == {
            "customer.created": len(CUSTOMERS),
            "account.created": 3,
            "bill.created": 10,
            "bill.updated": len(PAID),
            "bill.paid": 3,
            "bill.voided": 1,
        }

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
