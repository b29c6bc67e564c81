"""All objects in PostgreSQL, whatever their kind: read together, and written together."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

from owed.core.state import Name, Named, State
from owed.database.pool import Connection
from owed.store.accounts import ACCOUNTS
from owed.store.bills import BILLS
from owed.store.customers import CUSTOMERS
from owed.store.settings import SettingsTable
from owed.store.statements import Part, Rows

TABLES: dict[str, Any] = {table.kind: table for table in (CUSTOMERS, ACCOUNTS, BILLS, SettingsTable())}
"""The table of each kind, in the order in which all workers lock and write them."""


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
