"""How the objects of each kind stand in PostgreSQL: their rows, and the statements that read and write them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

import asyncpg
import msgspec

from owed.core.state import Name, Shelf, is_name
from owed.database.pool import Connection
from owed.model.named import Named
from owed.store.statements import Part, Rows, insert

Noun = TypeVar("Noun", bound=Named)
Pair = tuple[int, str]
"""A tenant, and what it calls an object."""

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

HELD = "{load} ORDER BY {table}.tenant_id, {table}.id FOR NO KEY UPDATE OF {table}"

UPDATE = """
    UPDATE {table}
       SET {assignments}
      FROM {{rows}}
     WHERE {table}.tenant_id = row.tenant_id AND {table}.id = row.id AND {table}.version = row.loaded_version
 RETURNING 1
"""


Changed = tuple[Noun, Noun]
"""An object as it was loaded, and as it stands."""


class Updating(NamedTuple):
    """A part of a statement that updates rows, and what of all the values of a row it is given."""

    part: Part
    values: Callable[[tuple[Any, ...]], tuple[Any, ...]]


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
        self._update = update("update", kind, columns, changing) if changing else None

    async def load(self, connection: Connection, names: Iterable[Name]) -> list[Noun]:
        """Load objects by id or by external reference, held by nobody; one that is named twice may come twice."""
        ids, references = self._sorted_out(names)
        rows = await connection.fetch(self.load_by_id, *arrays(ids, 2)) if ids else []
        found = {(row["tenant_id"], row["id"]) for row in rows}
        if others := [pair for pair in references if pair not in found]:  # an id is tried first
            rows += await connection.fetch(self.load_by_reference, *arrays(others, 2))
        return [self.from_row(row) for row in rows]

    async def hold(self, connection: Connection, names: Iterable[Name]) -> list[Noun]:
        """Load objects by id or by external reference, and hold them to the end of the transaction."""
        ids, references = self._sorted_out(names)
        rows = await connection.fetch(self._hold, *arrays(ids, 2), *arrays(references, 2))
        return [self.from_row(row) for row in rows]

    def work(self, shelf: Shelf[Noun]) -> Iterator[tuple[Part, Rows]]:
        """Yield what is to be written of the objects on a shelf."""
        for update, changed in self._changes([*shelf.changed()]):
            yield update.part, [(*update.values(self.to_row(now)), was.version) for was, now in changed]
        yield self._insert, [self.to_row(item) for item in shelf.created()]

    def _changes(self, changed: list[Changed[Noun]]) -> Iterator[tuple[Updating, list[Changed[Noun]]]]:
        """Yield how objects that changed are written."""
        if self._update:
            yield self._update, changed

    def _sorted_out(self, names: Iterable[Name]) -> tuple[list[Pair], list[Pair]]:
        """Part what can be an id from what can be an external reference; some texts can be both, others neither.

        What can be neither is left out: nothing is called so, and not every text can be sent to the database.
        """
        pairs = [(tenant_id, text) for _, tenant_id, text in names if is_name(text)]
        ids = [pair for pair in pairs if pair[1].startswith(self.prefix)]
        if self.reserved is None:
            return ids, pairs
        return ids, [pair for pair in pairs if not pair[1].startswith(self.reserved)]


class RenamingTable(Table[Noun]):
    """The table of a kind of object whose reference may be replaced by another, which is rare: when it is erased."""

    def __init__(
        self,
        kind: str,
        prefix: str,
        fixed: Mapping[str, str],
        changing: Mapping[str, str],
        read: Callable[[asyncpg.Record], Noun],
        values: Callable[[Noun], tuple[Any, ...]],
        reserved: str,
    ) -> None:
        super().__init__(kind, prefix, fixed, changing, read, values, reserved)
        self._rename = update("rename", kind, {**fixed, **changing}, ("external_reference", *changing))

    def _changes(self, changed: list[Changed[Noun]]) -> Iterator[tuple[Updating, list[Changed[Noun]]]]:
        """Yield how objects that changed are written."""
        yield from super()._changes([each for each in changed if each[0].names == each[1].names])
        yield self._rename, [each for each in changed if each[0].names != each[1].names]


class IdTable(Table[Noun]):
    """The table of a kind of object that goes by its id alone."""

    async def load(self, connection: Connection, names: Iterable[Name]) -> list[Noun]:
        """Load objects by id, held by nobody."""
        return await self._read(connection, self.load_by_id, names)

    async def hold(self, connection: Connection, names: Iterable[Name]) -> list[Noun]:
        """Load objects by id, and hold them to the end of the transaction."""
        return await self._read(connection, HELD.format(load=self.load_by_id, table=self.kind), names)

    async def _read(self, connection: Connection, sql: str, names: Iterable[Name]) -> list[Noun]:
        ids, _ = self._sorted_out(names)
        return [self.from_row(row) for row in await connection.fetch(sql, *arrays(ids, 2))]


def update(verb: str, table: str, columns: Mapping[str, str], changing: Iterable[str]) -> Updating:
    """Make what updates rows of a table, each where its version is still the one that was loaded.

    Args:
        verb: What the part is called by.
        columns: Names and types of all that there are.
        changing: Those that are written.
    """
    given = ["tenant_id", "id", *changing]
    sql = UPDATE.format(table=table, assignments=", ".join(f"{name} = row.{name}" for name in changing))
    types = (*((name, columns[name]) for name in given), ("loaded_version", "bigint"))
    places = [list(columns).index(name) for name in given]
    return Updating(Part(f"{verb}_{table}", sql, types, guarded=True), itemgetter(*places))


def arrays(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Turn rows into arrays, one for each column, as the statements take them."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def to_json(value: Any) -> str | None:
    """Write a value as a json column holds it; what is empty is null."""
    return msgspec.json.encode(value).decode() if value else None


def metadata_of(text: str | None) -> dict[str, str]:
    """Read the metadata that a json column holds."""
    return METADATA.decode(text) if text else {}
