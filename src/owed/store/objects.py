"""All objects in PostgreSQL, whatever their kind: read together, and written together."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol

from owed.core.state import Name, Named, Shelf, State
from owed.database.pool import Connection
from owed.model.tenant_settings import SettingsRecord
from owed.store.accounts import ACCOUNTS
from owed.store.bills import BILLS
from owed.store.customers import CUSTOMERS
from owed.store.settings import SettingsTable
from owed.store.statements import Part, Rows
from owed.store.tables import Table


class AnyTable(Protocol):
    """The table of one kind of object."""

    async def load(self, connection: Connection, names: Iterable[Name]) -> Sequence[Named]:
        """Load objects, held by nobody."""

    async def hold(self, connection: Connection, names: Iterable[Name]) -> Sequence[Named]:
        """Load objects, and hold them to the end of the transaction."""

    def work(self, shelf: Shelf[Any]) -> Iterator[tuple[Part, Rows]]:
        """Yield what is to be written of the objects on a shelf."""


OBJECTS: dict[str, Table[Any]] = {table.kind: table for table in (CUSTOMERS, ACCOUNTS, BILLS)}
"""The tables of what can owe money, and is listed."""

TABLES: dict[str, AnyTable] = {**OBJECTS, SettingsRecord.kind: SettingsTable()}
"""All tables, in the order in which every worker locks their rows."""


async def load(connection: Connection, names: Iterable[Name]) -> list[Named]:
    """Load objects by id or by external reference, held by nobody."""
    return [item for kind, named in by_kind(names) for item in await TABLES[kind].load(connection, named)]


async def hold(connection: Connection, names: Iterable[Name]) -> list[Named]:
    """Load objects by id or by external reference, and hold them to the end of the transaction."""
    return [item for kind, named in by_kind(names) for item in await TABLES[kind].hold(connection, named)]


def work(state: State) -> Iterator[tuple[Part, Rows]]:
    """Yield what is to be written of the objects of a state."""
    for kind, table in TABLES.items():
        yield from table.work(state.shelves[kind])


def by_kind(names: Iterable[Name]) -> list[tuple[str, list[Name]]]:
    """Sort names under their kinds, in the order of the tables."""
    order = list(TABLES)
    ranked = sorted(names, key=lambda name: order.index(name.kind))
    return [(kind, list(named)) for kind, named in groupby(ranked, attrgetter("kind"))]
