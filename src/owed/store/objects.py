"""All objects in PostgreSQL, whatever their kind: read together, and written together."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol

from owed.core.state import Name, Shelf, State, brought_by
from owed.database.pool import Connection
from owed.engine.store import Conflict
from owed.model.erasure import Erasure
from owed.model.named import Named
from owed.model.payment import Payment
from owed.model.replay import Replay
from owed.model.tenant_settings import SettingsRecord
from owed.model.webhook_endpoint import WebhookEndpoint
from owed.store.accounts import ACCOUNTS
from owed.store.adjustments import CHARGES, CREDITS
from owed.store.bills import BILLS
from owed.store.customers import CUSTOMERS
from owed.store.erasures import ERASURES
from owed.store.payment_documents import ALLOCATIONS, MOVES, REFUNDS, REVERSALS
from owed.store.payments import PAYMENTS
from owed.store.replays import ReplayTable
from owed.store.settings import SettingsTable
from owed.store.statements import Part, Rows
from owed.store.tables import Table
from owed.store.webhook_endpoints import WEBHOOK_ENDPOINTS


class AnyTable(Protocol):
    """The table of one kind of object."""

    async def load(self, connection: Connection, names: Iterable[Name]) -> Sequence[Named]:
        """Load objects, held by nobody."""

    async def hold(self, connection: Connection, names: Iterable[Name]) -> Sequence[Named]:
        """Load objects, and hold them to the end of the transaction."""

    def work(self, shelf: Shelf[Any]) -> Iterator[tuple[Part, Rows]]:
        """Yield what is to be written of the objects on a shelf."""


OBJECTS: dict[str, Table[Any]] = {
    table.kind: table
    for table in (
        CUSTOMERS,
        ACCOUNTS,
        BILLS,
        PAYMENTS,
        REFUNDS,
        REVERSALS,
        ALLOCATIONS,
        MOVES,
        CHARGES,
        CREDITS,
    )
}
"""The tables of what is listed."""

TABLES: dict[str, AnyTable] = {
    **OBJECTS,
    SettingsRecord.kind: SettingsTable(),
    WebhookEndpoint.kind: WEBHOOK_ENDPOINTS,
    Replay.kind: ReplayTable(),
    Erasure.kind: ERASURES,
}
"""All tables, in the order in which every worker locks their rows."""

RANKS = {kind: rank for rank, kind in enumerate(TABLES)}


async def load(connection: Connection, names: Iterable[Name]) -> list[Named]:
    """Load objects by id or by external reference, held by nobody."""
    return [item for kind, named in by_kind(names) for item in await TABLES[kind].load(connection, named)]


async def load_to_change(connection: Connection, names: Collection[Name]) -> list[Named]:
    """Load objects, and whatever changes with them, held by nobody."""
    found = await load(connection, names)
    more = brought_by(found).difference(names)
    return found + await load(connection, more) if more else found


async def hold(connection: Connection, names: Iterable[Name]) -> list[Named]:
    """Load objects, and whatever changes with them, and hold them to the end of the transaction.

    Raises:
        Conflict: Something that changes with them has joined them just now.
    """
    wanted = set(names)
    payments = [name for name in wanted if name.kind == Payment.kind]
    if payments:  # what they bring is locked before them
        wanted |= brought_by(await load(connection, payments))
    found = [item for kind, named in by_kind(wanted) for item in await TABLES[kind].hold(connection, named)]
    if payments and not brought_by(found) <= wanted:
        raise Conflict
    return found


def work(state: State) -> Iterator[tuple[Part, Rows]]:
    """Yield what is to be written of the objects of a state."""
    for kind, table in TABLES.items():
        yield from table.work(state.shelves[kind])


def by_kind(names: Iterable[Name]) -> list[tuple[str, list[Name]]]:
    """Sort the names of objects under their kinds, in the order of the tables."""
    ranked = sorted((name for name in names if name.kind in RANKS), key=lambda name: RANKS[name.kind])
    return [(kind, list(named)) for kind, named in groupby(ranked, attrgetter("kind"))]
