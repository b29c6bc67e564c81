"""The books of one tenant: every row that there is, and what belongs to what."""

from typing import Any

import asyncpg

from owed.model.adjustment import Adjustment
from owed.model.billing_object import BillingObject
from owed.model.payment import Payment
from owed.model.payment_document import PaymentDocument
from owed.model.transfer import Transfer
from owed.store.accounts import ACCOUNTS
from owed.store.adjustments import CHARGES, CREDITS
from owed.store.bills import BILLS
from owed.store.customers import CUSTOMERS
from owed.store.payment_documents import ALLOCATIONS, MOVES, REFUNDS, REVERSALS
from owed.store.payments import PAYMENTS
from owed.store.settings import from_row
from owed.store.tables import Table
from tests.contract.service import Database
from tests.properties import promises
from tests.properties.promises import Change, Money, grouped
from tests.store.reading import event, transfer

Row = asyncpg.Record

OBJECTS: tuple[Table[Any], ...] = (CUSTOMERS, ACCOUNTS, BILLS)
DOCUMENTS: tuple[Table[Any], ...] = (REFUNDS, REVERSALS, ALLOCATIONS, MOVES)


class Books:
    """All rows of one tenant, as they stand.

    Attributes:
        money: The payments, and what changed them.
        chains: The transfers of each obligation, by its id.
        changes: All that happened to each object, by its id, as its events tell of it.
    """

    def __init__(self, database: Database, tenant_id: int) -> None:
        def rows(table: str, order: str) -> list[Row]:
            return database.rows(f"SELECT * FROM {table} WHERE tenant_id = $1 ORDER BY {order}", tenant_id)

        def items(*tables: Table[Any]) -> list[Any]:
            return [table.from_row(row) for table in tables for row in rows(table.kind, "id")]

        self.objects: list[BillingObject] = items(*OBJECTS)
        self.payments: dict[str, Payment] = {item.id: item for item in items(PAYMENTS)}
        self.documents: dict[str, PaymentDocument] = {item.id: item for item in items(*DOCUMENTS)}
        self.adjustments: dict[str, Adjustment] = {item.id: item for item in items(CHARGES, CREDITS)}
        self.transfers: list[Transfer] = [transfer(row) for row in rows("transfer", "obligation_id, version")]
        self.events = [event(row) for row in rows("event", "object_id, sequence")]
        self.answers = {row["key"]: row for row in rows("answer", "key")}
        said = [
            row for row in rows("attribution", "id") if row["reason"]
        ]  # the operator, who makes merchants, says none
        self.reasons = {row["id"]: row["reason"] for row in said}
        self.attributions = grouped(said, lambda row: row["reason"])
        self.terms = grouped(rows("search_term", "object_id, term"), lambda row: row["object_id"])
        self.settings = from_row(database.rows("SELECT * FROM tenant WHERE id = $1", tenant_id)[0]).settings
        self.statuses = {row["id"]: row["status"] for row in rows("bill", "id")}
        self._index()

    @property
    def money(self) -> list[Money]:
        return [*self.payments.values(), *self.documents.values()]

    def _index(self) -> None:
        """Make ready to be asked what belongs to what."""
        self.transfers_of_attribution = grouped(self.transfers, lambda transfer: transfer.attribution_id)
        self.transfers_of_money = grouped(
            self.transfers, lambda transfer: transfer.taken_back_id or transfer.document_id or transfer.payment_id
        )
        self.by_name = {(item.kind, name): item for item in self.objects for name in (item.external_reference, item.id)}
        self.money_of_key = grouped(self.money, lambda item: item.metadata["key"])
        self.adjustments_of_key = grouped(self.adjustments.values(), lambda item: item.metadata["key"])
        self.chains = grouped(self.transfers, lambda transfer: transfer.obligation_id)
        events_of = grouped(self.events, lambda event: event.object_id)
        self.changes = {
            item.id: promises.changes(item.kind, events_of.get(item.id, []), self.chains.get(item.id, []))
            for item in self.objects
        }
        self.changes_of_key = grouped((change for told in self.changes.values() for change in told), self.key_of)

    def key_of(self, change: Change) -> str:
        """Give the key of the write that made a change: callers put it in the metadata, and say it as their reason."""
        if change.adjusted is not None:  # it may be of the one who took it back
            reason: str = self.reasons[change.adjusted.attribution_id]
            return reason
        document = document_of(change)
        key: str = (self.documents[document].metadata if document else (change.moved or change.after)["metadata"])[
            "key"
        ]
        return key


def document_of(change: Change) -> str | None:
    """Give the id of what changed a payment, where that is what an event told of."""
    members = (f"{table.kind}_id" for table in DOCUMENTS)
    return next((change.moved[name] for name in members if change.moved and name in change.moved), None)
