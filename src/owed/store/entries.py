"""Entries: the transfers of one obligation, newest first. A page is a walk along the primary key."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from owed.database.pool import Connection
from owed.model.identifiers import ALLOCATION, CHARGE, CREDIT, MOVE, REFUND, REVERSAL
from owed.model.transfer import Cause
from owed.store.failures import translated
from owed.store.list_queries import END, Cursor
from owed.store.lists import Page, read_page
from owed.store.slow_lane import Connections

PAGE = """
    -- A page of the transfers of an obligation between two versions, each with the words of who made it.
    SELECT transfer.version, transfer.id, transfer.amount, transfer.total_after, transfer.currency, transfer.cause,
           transfer.payment_id, transfer.taken_back_id, transfer.document_id, attribution.actor, attribution.reason,
           transfer.occurred_at, transfer.recorded_at
      FROM transfer
      LEFT JOIN attribution ON attribution.tenant_id = $1 AND attribution.id = transfer.attribution_id
     WHERE transfer.tenant_id = $1 AND transfer.obligation_id = $2
       AND transfer.version > $3 AND transfer.version < $4
       AND transfer.occurred_at > $5 AND transfer.occurred_at < $6
       {further}
     ORDER BY transfer.version {direction}
     LIMIT $7
"""

PAYMENTS = "AND transfer.cause = {value}"
OTHERS = "AND transfer.cause = {value} AND transfer.cause <> 'payment'"  # few, and in an index of their own
ACTORS = "AND transfer.attribution_id IS NOT NULL AND attribution.actor = {value}"

VERSIONS = """
    -- What was recorded between two times has the versions between these two.
    SELECT transfers_before($1, $2, $3::timestamptz + interval '1 microsecond') AS above,
           transfers_before($1, $2, $4) + 1 AS below
"""

DOCUMENTS = {
    REFUND: "refund_id",
    REVERSAL: "reversal_id",
    ALLOCATION: "allocation_id",
    MOVE: "move_id",
    CHARGE: "charge_id",
    CREDIT: "credit_id",
}
"""The member that names what a transfer is of, by the prefix of its id."""

EVERY_VERSION = (0, 2**63 - 1)

START = datetime(1, 1, 1, tzinfo=UTC)


class Entry(msgspec.Struct, frozen=True):
    """One transfer as the API shows it.

    Attributes:
        version: Its place on its obligation.
        taken_back_id: Of the refund or reversal that it is of.
        document_id: Of the allocation, move, charge or credit that it is of.
        actor: Who made it, in their own words; None where nobody said, or the words are erased.
    """

    version: int
    id: str
    amount: int
    total_after: int
    currency: str
    cause: str
    payment_id: str | None
    taken_back_id: str | None
    document_id: str | None
    actor: str | None
    reason: str | None
    occurred_at: datetime
    recorded_at: datetime

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows, in the order of the contract; what is not set is absent."""
        members: dict[str, Any] = {
            "id": self.id,
            "amount": self.amount,
            "total_after": self.total_after,
            "currency": self.currency,
            "cause": self.cause,
        }
        if self.payment_id is not None:
            members["payment_id"] = self.payment_id
        for document_id in (self.taken_back_id, self.document_id):
            if document_id is not None:
                members[DOCUMENTS[document_id[:4]]] = document_id
        if self.actor is not None:
            members["actor"] = self.actor
        if self.reason is not None:
            members["reason"] = self.reason
        members["occurred_at"], members["recorded_at"] = self.occurred_at, self.recorded_at
        return members


class EntryQuery(msgspec.Struct, frozen=True):
    """What entries are asked for. All filters hold at once; times are exclusive bounds.

    Attributes:
        actor: The words of who made them.
    """

    tenant_id: int
    obligation_id: str
    limit: int
    cursor: Cursor | None = None
    cause: str | None = None
    actor: str | None = None
    recorded_after: datetime = START
    recorded_before: datetime = END
    occurred_after: datetime = START
    occurred_before: datetime = END

    @property
    def further(self) -> tuple[str, list[str]]:
        """Give the conditions on cause and actor, and the values in them, the first of which is $8."""
        cause = PAYMENTS if self.cause == Cause.PAYMENT else OTHERS
        given = [(sql, value) for sql, value in ((cause, self.cause), (ACTORS, self.actor)) if value is not None]
        conditions = [sql.format(value=f"${number}") for number, (sql, _) in enumerate(given, 8)]
        return " ".join(conditions), [str(value) for _, value in given]


class Entries:
    """Reads pages of entries."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def page(self, query: EntryQuery) -> Page[Entry]:
        """Read the page that a query asks for."""
        with translated():
            async with self._connections.connection() as connection:
                walk = Walk(connection, query, *await versions(connection, query))
                return await read_page(walk, query.cursor, query.limit, place)


class Walk(NamedTuple):
    """A way through the entries of a query, between two versions."""

    connection: Connection
    query: EntryQuery
    above: int
    below: int

    async def rows(self, side: Cursor | None, most: int) -> list[Entry]:
        """Read up to `most` entries on one side of a version, the nearest first; without one, the newest."""
        query, (further, values) = self.query, self.query.further
        sql = PAGE.format(direction="ASC" if side and side.newer else "DESC", further=further)
        bounds = (*self._between(side), query.occurred_after, query.occurred_before)
        rows = await self.connection.fetch(sql, query.tenant_id, query.obligation_id, *bounds, most, *values)
        return [Entry(**row) for row in rows]

    def _between(self, side: Cursor | None) -> tuple[int, int]:
        if side is None:
            return self.above, self.below
        version = int(side.id)
        return (max(self.above, version), self.below) if side.newer else (self.above, min(self.below, version))


async def versions(connection: Connection, query: EntryQuery) -> tuple[int, int]:
    """Find the versions between which everything was recorded that a query asks for."""
    after = max(query.recorded_after, query.occurred_after)  # nothing is recorded before it has happened
    if (after, query.recorded_before) == (START, END):
        return EVERY_VERSION
    rows = await connection.fetch(VERSIONS, query.tenant_id, query.obligation_id, after, query.recorded_before)
    return rows[0]["above"], rows[0]["below"]


def place(entry: Entry) -> str:
    """Give the place of an entry in its list, as a cursor names it."""
    return str(entry.version)
