"""What is in the database, read with statements of the tests' own."""

from typing import Any

import asyncpg

from owed.model.customer import Customer
from owed.model.event import Event
from owed.model.transfer import Cause, LedgerAccount, Transfer
from owed.store.customers import from_row


async def read_customers(reader: "asyncpg.Connection[Any]") -> list[Customer]:
    return [from_row(row) for row in await reader.fetch("SELECT * FROM customer ORDER BY tenant_id, id")]


async def read_customer(reader: "asyncpg.Connection[Any]", tenant: int, reference: str) -> Customer:
    sql = "SELECT * FROM customer WHERE tenant_id = $1 AND external_reference = $2"
    (row,) = await reader.fetch(sql, tenant, reference)
    return from_row(row)


async def read_transfers(reader: "asyncpg.Connection[Any]", tenant: int) -> list[Transfer]:
    sql = "SELECT * FROM transfer WHERE tenant_id = $1 ORDER BY obligation_id, version"
    return [transfer(row) for row in await reader.fetch(sql, tenant)]


async def read_events(reader: "asyncpg.Connection[Any]", tenant: int) -> list[Event]:
    sql = "SELECT * FROM event WHERE tenant_id = $1 ORDER BY object_id, sequence"
    return [Event(**row) for row in await reader.fetch(sql, tenant)]


def transfer(row: asyncpg.Record) -> Transfer:
    words = {"debit": LedgerAccount(row["debit"]), "credit": LedgerAccount(row["credit"]), "cause": Cause(row["cause"])}
    return Transfer(**{**dict(row), **words})
