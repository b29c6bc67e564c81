"""Millions of customers of one merchant, loaded straight into Owed's tables, search terms included."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import asyncpg

from bench import copies, sql
from bench.client import Client
from bench.copies import Copy
from bench.services import Service
from owed.model.identifiers import CUSTOMER, id_at, milliseconds

NUMBERS = {"half": 4_242_424_241, "ten": 4_242_424_242, "own": 4_242_424_243}
"""Of the customers that are copied: as many digits as the others' numbers, and not among them."""

FIRST = 1_000_000_000
STEP = 1_000_000
BORN = datetime(2020, 1, 1, tzinfo=UTC)
COUNT = "SELECT count(*) FROM customer WHERE tenant_id = $1"
FORGET = """
    DELETE FROM {table} USING customer
     WHERE {table}.tenant_id = customer.tenant_id AND {table}.{column} = customer.id
       AND customer.external_reference IN ({references})
"""


class Kind(StrEnum):
    """Whose values a customer shares: half of all customers', ten customers', or nobody's."""

    HALF = "half"
    TEN = "ten"
    OWN = "own"


CURRENCIES = {Kind.HALF: "ZAR", Kind.TEN: "BWP", Kind.OWN: "USD"}


def kind_of(index: int) -> Kind:
    """Tell the kind of the customer that was loaded as the index-th, from 1: ten are spread over the first million."""
    if index % 99_999 == 0 and index < 1_000_000:
        return Kind.TEN
    return Kind.HALF if index % 2 else Kind.OWN


def born(index: int) -> datetime:
    """Tell when the index-th customer was created: one each millisecond, so that ids and times agree."""
    return BORN + timedelta(milliseconds=index)


def reference(number: int) -> str:
    """Give the external reference of the customer with a number."""
    return f"customer_{number}"


def template(kind: Kind) -> dict[str, Any]:
    """Give the members of the customer that those of a kind are copied from."""
    number, shared = NUMBERS[kind], kind is not Kind.OWN
    return {
        "external_reference": reference(number),
        "name": f"John {kind.title()}word",
        "email": f"{kind}@example.com" if shared else f"john.{number}@example.com",
        "phone": {Kind.HALF: "+27111111111", Kind.TEN: "+27222222222"}.get(kind, f"+2{number}"),
        "currency": CURRENCIES[kind],
        "balance": 2000,
        "metadata": {"plan": kind.value},
    }


def load(owed: Service, tenant_id: int, count: int, tell: Callable[[str], None]) -> None:
    """Add customers until the tenant has `count`, going on from those that there are."""
    (done,) = sql.row(owed.dsn, COUNT, tenant_id)
    if done < count:
        client = Client(owed.url, owed.key)
        for kind in Kind:
            client.send("POST", "/billing/customers", template(kind))
        asyncio.run(_load(owed.dsn, done, count, tell))
        _forget_templates(owed.dsn)


async def _load(dsn: str, done: int, count: int, tell: Callable[[str], None]) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off"})
    try:
        while done < count:
            until = min(done + STEP, count)
            await copies.load(connection, "customer", _copies(range(done + 1, until + 1)))
            done = until
            tell(f"{done:,} customers")
    finally:
        await connection.close()


def _copies(indexes: range) -> Iterator[Copy]:
    for index in indexes:
        at = born(index)
        yield Copy(reference(NUMBERS[kind_of(index)]), str(FIRST + index), id_at(CUSTOMER, milliseconds(at)), at)


def _forget_templates(dsn: str) -> None:
    """Remove the customers that were copied, and all that stands of them."""
    references = ", ".join(f"'{reference(number)}'" for number in NUMBERS.values())
    for table, column in (("search_term", "object_id"), ("transfer", "obligation_id"), ("event", "object_id")):
        sql.execute(dsn, FORGET.format(table=table, column=column, references=references))
    sql.execute(dsn, f"DELETE FROM customer WHERE external_reference IN ({references})")  # noqa: S608
