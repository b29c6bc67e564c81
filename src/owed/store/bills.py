"""Bills in PostgreSQL."""

from typing import Any

import asyncpg

from owed.model.bill import Bill, BillStatus
from owed.model.identifiers import BILL, CUSTOMER
from owed.store.billing_tables import billing_table, obligation_of


def read(members: dict[str, Any], row: asyncpg.Record) -> Bill:
    """Make the bill that a row holds."""
    return Bill(
        **members,
        obligation=obligation_of(row, is_tracked=True),
        customer_id=row["customer_id"],
        account_id=row["account_id"],
        amount_due=row["amount_due"],
        amount_paid=row["amount_paid"],
        amount_received=row["amount_received"],
        amount_credited=row["amount_credited"],
        is_voided=row["status"] == BillStatus.VOIDED,
        bill_date=row["bill_date"],
        due_date=row["due_date"],
    )


def values(bill: Bill) -> tuple[Any, ...]:
    """Give the values of a bill's own columns."""
    return (
        bill.customer_id,
        bill.account_id,
        bill.amount_due,
        bill.bill_date,
        bill.amount_paid,
        bill.amount_received,
        bill.amount_credited,
        bill.status.value,
        bill.due_date,
    )


BILLS = billing_table(
    Bill.kind,
    prefix=BILL,
    reserved=CUSTOMER,
    fixed={"customer_id": "text", "account_id": "text", "amount_due": "int", "bill_date": "date"},
    changing={
        "amount_paid": "int",
        "amount_received": "int",
        "amount_credited": "int",
        "status": "text",
        "due_date": "date",
    },
    read=read,
    values=values,
)
