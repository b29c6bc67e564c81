"""The demo merchant, as a newcomer meets it."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from uuid import uuid4

import asyncpg
import pytest

from owed.api.demo import CUSTOMERS, JOHN_DOE, create_demo
from owed.database import migrations
from owed.database.pool import Connection, connect
from owed.model.attribution import Actor
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


def test_a_newcomer_has_payments_of_several_channels_to_look_at(service: Service) -> None:
    client = service.client(printed(service)[0])
    payments = {each["external_reference"]: each for each in client.get("/billing/payments").json()["data"]}

    assert {name: (payment["channel"], payment["status"]) for name, payment in payments.items()} == {
        "PAY-1007": ("bank_transfer", "succeeded"),
        "PAY-1006": ("bank_transfer", "succeeded"),
        "PAY-1005": ("mobile_money", "succeeded"),
        "PAY-1004": ("online", "succeeded"),
        "PAY-1003": ("retail", "partially_refunded"),
        "PAY-1002": ("debit_order", "reversed"),
        "PAY-1001": ("bank_transfer", "succeeded"),
    }
    assert len(payments["PAY-1001"]["applications"]) == 2
    assert client.get("/billing/accounts/UAR1234567887").json()["balance"] == -39_000
    assert client.get("/billing/payments/PAY-1003/refunds/REF-1001").json()["amount"] == 2500
    assert client.get("/billing/payments/PAY-1002/reversals/REV-1001").json()["reason"] == "dishonoured"


def test_the_books_of_the_demo_balance(service: Service) -> None:
    client = service.client(printed(service)[0])
    lines = client.get("/billing/ledger/trial-balance").json()["data"]
    kinds = ("customers", "accounts", "bills")
    objects = [each for kind in kinds for each in client.get(f"/billing/{kind}?currency=ZAR").json()["data"]]
    owed = sum(each.get("balance", 0) for each in objects if "status" not in each)
    owed += sum(each["amount_remaining"] for each in objects if each.get("status") == "unpaid")

    assert sum(line["total"] for line in lines if line["currency"] == "ZAR") == 0
    assert [each["total"] for each in lines if (each["account"], each["currency"]) == ("receivable", "ZAR")] == [owed]


def test_what_the_demo_owes_is_in_the_ledger_and_told_in_events(fresh_database: str) -> None:
    async def check(connection: Connection) -> None:
        await create_demo(connection, "Demo", Actor("cli"))
        causes = Counter(row["cause"] for row in await connection.fetch("SELECT cause FROM transfer"))
        events = Counter(row["type"] for row in await connection.fetch("SELECT type FROM event"))

        assert causes == {
            "opening": 6, "bill_raised": 10, "correction": 1, "payment": 8, "refund": 1, "reversal": 1, "void": 1,
            "charge": 2, "credit": 2, "discount": 1, "allocation": 2, "move": 2,
        }  # fmt: skip
        assert events == {
            "customer.created": len(CUSTOMERS),
            "account.created": 4,
            "bill.created": 10,
            "customer.updated": 2,
            "account.updated": 2,
            "bill.updated": 2,
            "bill.paid": 4,
            "bill.voided": 1,
            "obligation.amount_applied": 9,
            "obligation.amount_reversed": 3,
        }

    asyncio.run(_on(fresh_database, check))


def test_a_start_that_breaks_halfway_leaves_nothing_and_the_next_one_is_whole(fresh_database: str) -> None:
    async def check(connection: Connection) -> None:
        await connection.raw.execute("ALTER TABLE event RENAME TO elsewhere")
        with pytest.raises(asyncpg.UndefinedTableError):
            await create_demo(connection, "Demo", Actor("cli"))
        assert await list_merchants(connection) == []
        await connection.raw.execute("ALTER TABLE elsewhere RENAME TO event")
        assert await create_demo(connection, "Demo", Actor("cli")) is not None
        assert await create_demo(connection, "Demo", Actor("cli")) is None
        assert len(await connection.fetch("SELECT FROM customer")) == len(CUSTOMERS)

    asyncio.run(_on(fresh_database, check))
