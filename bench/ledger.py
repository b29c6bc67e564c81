"""A ledger of millions of transfers, loaded straight into the tables: the rows are what the core makes of payments."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import msgspec

from owed.core.applying import applied
from owed.core.journal import Journal
from owed.core.ledger import Source
from owed.core.taking_back import lessened
from owed.engine.clock import BatchStamp
from owed.model.account import Account
from owed.model.attribution import Actor
from owed.model.bill import Bill
from owed.model.billing_object import BillingObject
from owed.model.customer import Customer
from owed.model.identifiers import ACCOUNT, APPLICATION, BILL, CUSTOMER, PAYMENT, REFUND, IdSource
from owed.model.obligation import Obligation
from owed.model.payment import Application, Payment
from owed.model.payment_document import Share
from owed.model.taken_back import Refund
from owed.model.transfer import Cause
from owed.store.objects import OBJECTS
from owed.store.records import INSERT_TRANSFERS, transfer_row

PART = 100_000
"""Rows that are loaded at a time."""

STEP = timedelta(milliseconds=1)
PAID = 1_000
EACH = 15
"""Transfers of an account: one that opens it, and payments."""

REFUNDED_EVERY = 100
TRANSFER_COLUMNS = [name for name, _ in INSERT_TRANSFERS.columns]

Rows = dict[str, list[tuple[Any, ...]]]


class Ledger:
    """A ledger of about so many transfers: six in ten of bills, three of accounts, and one of a single hot account."""

    def __init__(self, tenant_id: int, transfers: int) -> None:
        self.bills, self.accounts, self.hot = transfers * 3 // 10, transfers * 3 // 10 // EACH, transfers // 10
        self._tenant_id = tenant_id
        self._ids = IdSource(Random(1))
        self._now = datetime.now(UTC) - timedelta(days=1) - 2 * transfers * STEP
        self._rows: Rows = {}
        self._payments = 0

    async def load(self, connection: "asyncpg.Connection[Any]") -> None:
        """Load all of it, in the order of time."""
        for _ in self._history():
            if sum(map(len, self._rows.values())) >= PART:
                await self._flush(connection)
        await self._flush(connection)
        await connection.execute("VACUUM ANALYZE", timeout=None)
        await connection.execute("CHECKPOINT", timeout=None)

    async def _flush(self, connection: "asyncpg.Connection[Any]") -> None:
        rows, self._rows = self._rows, {}
        for table, records in rows.items():
            columns = TRANSFER_COLUMNS if table == "transfer" else columns_of(table)
            await connection.copy_records_to_table(table, records=records, columns=columns, timeout=None)

    def _history(self) -> Iterator[None]:
        """Make the ledger; a payment of the hot account follows others at the same pace."""
        customer = Customer(**self._basics(CUSTOMER))
        self._keep(customer)
        yield
        hot: BillingObject = self._opened(customer)
        accounts = [self._opened(customer) for _ in range(self.accounts)]
        open_bills = [self._raised(customer) for _ in range(self.bills)]
        others = self.bills + self.accounts * (EACH - 1)
        pace, paid = self.hot / max(others, 1), 0
        for number, (items, place) in enumerate(self._turns(accounts, open_bills), start=1):
            items[place] = self._paid(items[place])
            while paid < number * pace:
                hot, paid = self._paid(hot), paid + 1
            yield
        for item in (hot, *accounts, *open_bills):
            self._keep(item)
            yield

    def _turns(self, accounts: list[Any], bills: list[Any]) -> Iterator[tuple[list[Any], int]]:
        """Yield whose turn it is to be paid: all accounts in each round, and a part of the bills."""
        part = -(-self.bills // (EACH - 1))
        for turn in range(EACH - 1):
            yield from ((accounts, place) for place in range(len(accounts)))
            yield from ((bills, place) for place in range(turn * part, min(len(bills), (turn + 1) * part)))

    def _opened(self, customer: Customer) -> Account:
        account, journal = Account(**self._basics(ACCOUNT), customer_id=customer.id), self._journal()
        balance = journal.post(Obligation(tracked=True), account.id, 10 * PAID, "ZAR", Source(Cause.OPENING))
        self._note(journal)
        return msgspec.structs.replace(account, obligation=balance)

    def _raised(self, customer: Customer) -> Bill:
        basics, journal = self._basics(BILL), self._journal()
        bill = Bill(**basics, customer_id=customer.id, amount_due=PAID, bill_date=date(2026, 1, 31))
        owed = journal.post(Obligation(tracked=True), bill.id, PAID, "ZAR", Source(Cause.BILL_RAISED))
        self._note(journal)
        return msgspec.structs.replace(bill, obligation=owed)

    def _paid(self, item: BillingObject) -> BillingObject:
        """Pay an object; now and then, give half of it back at once."""
        self._payments += 1
        journal = self._journal()
        now, new_id = journal.stamp.now, journal.stamp.new_id
        application = Application(id=new_id(APPLICATION), kind=item.kind, object_id=item.id, amount=PAID)
        payment = Payment(
            tenant_id=self._tenant_id,
            id=new_id(PAYMENT),
            channel="card",
            amount=PAID,
            currency="ZAR",
            applications=(application,),
            paid_at=now,
            created_at=now,
            updated_at=now,
        )
        item = applied(item, PAID, Source(Cause.PAYMENT, payment.id, payment.channel, now), journal)
        if self._payments % REFUNDED_EVERY == 0:
            item, payment = self._refunded(item, payment, journal)
        self._add("payment", OBJECTS["payment"].to_row(payment))
        self._note(journal)
        return item

    def _refunded(self, item: BillingObject, payment: Payment, journal: Journal) -> tuple[BillingObject, Payment]:
        now, half = journal.stamp.now, PAID // 2
        share = Share(id=payment.applications[0].id, kind=item.kind, object_id=item.id, amount=half)
        refund = Refund(
            tenant_id=self._tenant_id,
            id=journal.stamp.new_id(REFUND),
            payment_id=payment.id,
            amount=half,
            currency="ZAR",
            applications=(share,),
            occurred_at=now,
            created_at=now,
        )
        self._add("refund", OBJECTS["refund"].to_row(refund))
        source = Source(Cause.REFUND, payment.id, payment.channel, now, refund.id)
        return applied(item, -half, source, journal), lessened(payment, refund)

    def _basics(self, prefix: str) -> dict[str, Any]:
        stamp = self._journal().stamp
        new_id = stamp.new_id(prefix)
        times = {"created_at": stamp.now, "updated_at": stamp.now}
        return {"tenant_id": self._tenant_id, "id": new_id, "external_reference": f"of_{new_id}", **times}

    def _journal(self) -> Journal:
        self._now += STEP
        return Journal(self._tenant_id, Actor("key_bench"), BatchStamp(self._now, self._ids))

    def _note(self, journal: Journal) -> None:
        self._rows.setdefault("transfer", []).extend(map(transfer_row, journal.transfers))

    def _keep(self, item: BillingObject) -> None:
        self._add(item.kind, OBJECTS[item.kind].to_row(item))

    def _add(self, table: str, row: tuple[Any, ...]) -> None:
        self._rows.setdefault(table, []).append(row)


def columns_of(table: str) -> list[str]:
    """Name the columns of an object's table, in the order of its rows."""
    return [name.partition(".")[2] for name in OBJECTS[table].columns.split(", ")]
