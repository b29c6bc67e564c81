"""How the objects of each kind stand in PostgreSQL: their rows, and the statements that read and write them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

import asyncpg
import msgspec

from owed.core.state import Name, Shelf, is_name
from owed.database.pool import Connection
from owed.model.billing_object import BillingObject
from owed.model.named import Named
from owed.model.obligation import Obligation
from owed.model.payment_rules import PaymentRules
from owed.store.statements import Part, Rows, insert

Noun = TypeVar("Noun", bound=Named)
Owing = TypeVar("Owing", bound=BillingObject)

FIXED = {
    "tenant_id": "int",
    "id": "text",
    "external_reference": "text",
    "created_at": "timestamptz",
}
"""The columns of every object that never change."""

CHANGING = {
    "payment_rules": "json",
    "metadata": "json",
    "currency": "text",
    "total": "bigint",
    "transfer_version": "bigint",
    "transfer_hash": "bytea",
    "transferred_at": "timestamptz",
    "version": "bigint",
    "event_sequence": "bigint",
    "updated_at": "timestamptz",
}
"""The columns of every object that may change."""

RULES = msgspec.json.Decoder(PaymentRules)
METADATA = msgspec.json.Decoder(dict[str, str])

LOAD = """
    SELECT {columns}
      FROM unnest($1::int[], $2::text[]) AS wanted (tenant_id, {name})
      JOIN {table} USING (tenant_id, {name})
"""

HOLD = """
    -- By id and by external reference, held in the order of their keys, so that two workers never wait for each other.
      WITH wanted AS (
    SELECT {table}.tenant_id, {table}.id
      FROM unnest($1::int[], $2::text[]) AS wanted (tenant_id, id)
      JOIN {table} USING (tenant_id, id)
     UNION
    SELECT {table}.tenant_id, {table}.id
      FROM unnest($3::int[], $4::text[]) AS wanted (tenant_id, external_reference)
      JOIN {table} USING (tenant_id, external_reference)
         )
    SELECT {columns}
      FROM {table}
      JOIN wanted USING (tenant_id, id)
     ORDER BY {table}.tenant_id, {table}.id
       FOR NO KEY UPDATE OF {table}
"""

UPDATE = """
    UPDATE {table}
       SET {assignments}
      FROM {{rows}}
     WHERE {table}.tenant_id = row.tenant_id AND {table}.id = row.id AND {table}.version = row.loaded_version
 RETURNING 1
"""


class Wanted(NamedTuple):
    """Names of one sort, as the arrays that the statements take."""

    tenants: list[int]
    names: list[str]


class Table(Generic[Noun]):
    """The table of one kind of object.

    Args:
        prefix: Of the ids.
        reserved: What no external reference begins with; None where any may be.
        fixed: Names and types of the columns that never change.
        changing: The same of those that may change, the version and the time of the change among them.
        read: Makes the object that a row holds.
        values: Gives the values of an object, the fixed ones first.
    """

    def __init__(
        self,
        kind: str,
        prefix: str,
        fixed: Mapping[str, str],
        changing: Mapping[str, str],
        read: Callable[[asyncpg.Record], Noun],
        values: Callable[[Noun], tuple[Any, ...]],
        reserved: str | None = None,
    ) -> None:
        self.kind, self.prefix, self.reserved = kind, prefix, reserved
        self.from_row, self.to_row = read, values
        columns = {**fixed, **changing}
        self.columns = ", ".join(f"{kind}.{name}" for name in columns)  # by name: a newer program may add some
        self.load_by_id = LOAD.format(table=kind, columns=self.columns, name="id")
        self.load_by_reference = LOAD.format(table=kind, columns=self.columns, name="external_reference")
        self._hold = HOLD.format(table=kind, columns=self.columns)
        self._insert = insert(kind, **columns)
        kept = ["tenant_id", "id", *changing]
        self._update = Part(
            f"update_{kind}",
            UPDATE.format(table=kind, assignments=", ".join(f"{name} = row.{name}" for name in changing)),
            (*((name, columns[name]) for name in kept), ("loaded_version", "bigint")),
            guarded=True,
        )
        self._updated_values = itemgetter(*(list(columns).index(name) for name in kept))

    async def load(self, connection: Connection, names: Iterable[Name]) -> list[Noun]:
        """Load objects by id or by external reference, held by nobody; one that is named twice may come twice."""
        ids, references = self._sorted_out(names)
        rows = await connection.fetch(self.load_by_id, *ids) if ids.names else []
        if references.names:
            rows += await connection.fetch(self.load_by_reference, *references)
        return [self.from_row(row) for row in rows]

    async def hold(self, connection: Connection, names: Iterable[Name]) -> list[Noun]:
        """Load objects by id or by external reference, and hold them to the end of the transaction."""
        ids, references = self._sorted_out(names)
        return [self.from_row(row) for row in await connection.fetch(self._hold, *ids, *references)]

    def work(self, shelf: Shelf[Noun]) -> Iterator[tuple[Part, Rows]]:
        """Yield what is to be written of the objects on a shelf."""
        yield self._update, [(*self._updated_values(self.to_row(now)), was.version) for was, now in shelf.changed()]
        yield self._insert, [self.to_row(item) for item in shelf.created()]

    def _sorted_out(self, names: Iterable[Name]) -> tuple[Wanted, Wanted]:
        """Part what can be an id from what can be an external reference; some texts can be both, others neither.

        What can be neither is left out: nothing is called so, and not every text can be sent to the database.
        """
        ids, references = Wanted([], []), Wanted([], [])
        for _, tenant_id, text in filter(lambda name: is_name(name.text), names):
            if text.startswith(self.prefix):
                ids.tenants.append(tenant_id)
                ids.names.append(text)
            if self.reserved is None or not text.startswith(self.reserved):
                references.tenants.append(tenant_id)
                references.names.append(text)
        return ids, references


def billing_table(
    kind: str,
    prefix: str,
    reserved: str,
    fixed: Mapping[str, str],
    changing: Mapping[str, str],
    read: Callable[[dict[str, Any], asyncpg.Record], Owing],
    values: Callable[[Owing], tuple[Any, ...]],
) -> Table[Owing]:
    """Make the table of one kind of object that can owe money.

    Args:
        fixed: Names and types of the columns that only this kind has and that never change.
        changing: The same of those that may change.
        read: Makes an object of the members that all have, and a row.
        values: Gives the values of an object's own columns, the fixed ones first.
    """
    own = len(fixed)

    def to_row(item: Owing) -> tuple[Any, ...]:
        mine = values(item)
        return (*fixed_values(item), *mine[:own], *changing_values(item), *mine[own:])

    return Table(
        kind,
        prefix,
        fixed={**FIXED, **fixed},
        changing={**CHANGING, **changing},
        read=lambda row: read(common_members(row), row),
        values=to_row,
        reserved=reserved,
    )


def common_members(row: asyncpg.Record) -> dict[str, Any]:
    """Give the members of an object that all have."""
    return {
        "tenant_id": row["tenant_id"],
        "id": row["id"],
        "external_reference": row["external_reference"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "payment_rules": RULES.decode(rules) if (rules := row["payment_rules"]) else None,
        "metadata": METADATA.decode(metadata) if (metadata := row["metadata"]) else {},
        "version": row["version"],
        "event_sequence": row["event_sequence"],
    }


def obligation_of(row: asyncpg.Record, *, is_tracked: bool) -> Obligation:
    """Make the obligation that a row holds."""
    return Obligation(
        currency=row["currency"],
        total=row["total"],
        tracked=is_tracked,
        version=row["transfer_version"],
        hash=row["transfer_hash"],
        recorded_at=row["transferred_at"],
    )


def fixed_values(item: BillingObject) -> tuple[Any, ...]:
    """Give the values of the columns that all objects have and that never change."""
    return item.tenant_id, item.id, item.external_reference, item.created_at


def changing_values(item: BillingObject) -> tuple[Any, ...]:
    """Give the values of the columns that all objects have and that may change."""
    obligation = item.obligation
    return (
        msgspec.json.encode(item.payment_rules).decode() if item.payment_rules else None,
        msgspec.json.encode(item.metadata).decode() if item.metadata else None,
        obligation.currency,
        obligation.total,
        obligation.version,
        obligation.hash,
        obligation.recorded_at,
        item.version,
        item.event_sequence,
        item.updated_at,
    )
