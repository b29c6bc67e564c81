"""The audit log: who did what, as it is read back newest first, and written where no command of the engine does it."""

from collections.abc import Iterable
from datetime import datetime
from random import SystemRandom
from typing import Any, NamedTuple

import msgspec

from owed.database.pool import Connection
from owed.engine.clock import BatchStamp, Clock
from owed.model.attribution import Actor, Attribution
from owed.model.identifiers import ATTRIBUTION, EPOCH, IdSource, id_at, milliseconds
from owed.store.failures import translated
from owed.store.list_queries import END, Cursor
from owed.store.lists import Page, read_page
from owed.store.records import INSERT_ATTRIBUTIONS, attribution_row
from owed.store.slow_lane import Connections
from owed.store.statements import prepared

PAGE = """
    -- A page of the records between two ids. Whatever is asked for besides, one index has it in this order.
    SELECT id, command, object_id, key_id, actor, reason, recorded_at
      FROM attribution
     WHERE tenant_id = $1 AND {between} AND recorded_at > $4 AND recorded_at < $5 {further}
     ORDER BY {order}
     LIMIT $6
"""

OF_ALL = "id > $2 AND id < $3"
OF_ONE = "({column}, id) > ($7, $2) AND ({column}, id) < ($7, $3)"

RAREST_FIRST = {
    "object_id": "object_id",
    "actor": 'actor COLLATE "C"',
    "command": "command",
    "key_id": "key_id",
}
"""What is asked for, each with an index of its own: that of the first that is given is walked."""


class AuditRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody did, and who they say they are.

    Attributes:
        object_id: Of what it was done to.
        key_id: Of the key that it was done with; `cli` where an operator did it on the command line.
    """

    id: str
    recorded_at: datetime
    command: str
    object_id: str
    key_id: str
    actor: str | None = None
    reason: str | None = None

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows; what is not set is absent."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


class AuditQuery(msgspec.Struct, frozen=True):
    """What records are asked for. All filters hold at once; times are exclusive bounds."""

    tenant_id: int
    limit: int
    cursor: Cursor | None = None
    command: str | None = None
    actor: str | None = None
    key_id: str | None = None
    object_id: str | None = None
    recorded_after: datetime = EPOCH
    recorded_before: datetime = END

    def statement(self, *, rising: bool) -> tuple[str, list[str]]:
        """Give the statement of a page, and the values of its filters, the first of which is $7."""
        given = {sql: value for name, sql in RAREST_FIRST.items() if (value := getattr(self, name)) is not None}
        values, direction = [*given.values()], "ASC" if rising else "DESC"
        if not given:
            return PAGE.format(between=OF_ALL, further="", order=f"id {direction}"), values
        walked, *others = given
        further = " ".join(f"AND {column} = ${number}" for number, column in enumerate(others, 8))
        order = f"{walked} {direction}, id {direction}"
        return PAGE.format(between=OF_ONE.format(column=walked), further=further, order=order), values


class AuditLog:
    """Reads pages of the audit log."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def page(self, query: AuditQuery) -> Page[AuditRecord]:
        """Read the page that a query asks for."""
        with translated():
            async with self._connections.connection() as connection:
                return await read_page(Walk(connection, query), query.cursor, query.limit)


class Walk(NamedTuple):
    """A way through the records of a query."""

    connection: Connection
    query: AuditQuery

    async def rows(self, side: Cursor | None, most: int) -> list[AuditRecord]:
        """Read up to `most` records on one side of an id, the nearest first; without one, the newest."""
        query = self.query
        sql, values = query.statement(rising=side is not None and side.newer)
        bounds = (*self._between(side), query.recorded_after, query.recorded_before)
        rows = await self.connection.fetch(sql, query.tenant_id, *bounds, most, *values)
        return [AuditRecord(**row) for row in rows]

    def _between(self, side: Cursor | None) -> tuple[str, str]:
        above = id_at(ATTRIBUTION, milliseconds(max(self.query.recorded_after, EPOCH)))
        below = id_at(ATTRIBUTION, milliseconds(max(self.query.recorded_before, EPOCH)) + 1)
        if side is None:
            return above, below
        return (max(above, side.id), below) if side.newer else (above, min(below, side.id))


async def attest(connection: Connection, tenants: Iterable[int], actor: Actor, object_id: str, command: str) -> None:
    """Record who did something that concerns some tenants, in the transaction that does it."""
    stamp = BatchStamp(Clock().now(), IdSource(SystemRandom()))
    records = [
        Attribution(tenant, stamp.new_id(ATTRIBUTION), object_id, command, actor, stamp.new_salt(), stamp.now)
        for tenant in tenants
    ]
    sql, values = prepared([(INSERT_ATTRIBUTIONS, [attribution_row(record) for record in records])])
    await connection.fetch(sql, *values)
