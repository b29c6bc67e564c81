"""What is in the database, read with statements of the tests' own."""

from typing import Any

import asyncpg

from owed.model.event import Event
from owed.model.transfer import Cause, Transfer
from owed.store.objects import OBJECTS


async def read_objects(reader: "asyncpg.Connection[Any]", kind: str, tenant: int) -> list[Any]:
    rows = await reader.fetch(f"SELECT * FROM {kind} WHERE tenant_id = $1 ORDER BY id", tenant)
    return [OBJECTS[kind].from_row(row) for row in rows]


async def read_object(reader: "asyncpg.Connection[Any]", kind: str, tenant: int, reference: str) -> Any:
    (found,) = [item for item in await read_objects(reader, kind, tenant) if item.external_reference == reference]
    return found


async def read_transfers(reader: "asyncpg.Connection[Any]", tenant: int) -> list[Transfer]:
    sql = "SELECT * FROM transfer WHERE tenant_id = $1 ORDER BY obligation_id, version"
    return [transfer(row) for row in await reader.fetch(sql, tenant)]


async def read_events(reader: "asyncpg.Connection[Any]", tenant: int) -> list[Event]:
    sql = "SELECT * FROM event WHERE tenant_id = $1 ORDER BY object_id, sequence"
    return [event(row) for row in await reader.fetch(sql, tenant)]


def transfer(row: asyncpg.Record) -> Transfer:
    return Transfer(**{**dict(row), "cause": Cause(row["cause"])})


def event(row: asyncpg.Record) -> Event:
    return Event(**{name: row[name] for name in Event.__struct_fields__})
