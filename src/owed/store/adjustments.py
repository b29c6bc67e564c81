"""Charges and credits in PostgreSQL: two tables of one shape, each with a column of its own."""

from operator import attrgetter
from typing import Any, TypeVar

import asyncpg

from owed.model.account import Account
from owed.model.adjustment import Adjustment, Charge, Credit, CreditType
from owed.model.bill import Bill
from owed.model.customer import Customer
from owed.model.identifiers import ACCOUNT, BILL, CHARGE, CREDIT, CUSTOMER
from owed.store.tables import Table, metadata_of, to_json

Kind = TypeVar("Kind", bound=Adjustment)

FIXED = {
    "tenant_id": "int",
    "id": "text",
    "object_id": "text",
    "external_reference": "text",
    "amount": "bigint",
    "currency": "text",
    "reason": "text",
    "total_after": "bigint",
    "occurred_at": "timestamptz",
    "created_at": "timestamptz",
}
"""The columns of both that hold just what the members of their names are, and never change."""

KINDS = {ACCOUNT: Account.kind, BILL: Bill.kind, CUSTOMER: Customer.kind}
"""The kinds of the objects that they are on, by the prefixes of their ids."""

CHANGING = {"reversed_at": "timestamptz", "version": "bigint"}

plain_fixed, plain_changing = attrgetter(*FIXED), attrgetter(*CHANGING)


def members(row: asyncpg.Record) -> dict[str, Any]:
    """Give the members that both have."""
    return {
        **{name: row[name] for name in (*FIXED, *CHANGING)},
        "object_kind": KINDS[row["object_id"].partition("_")[0] + "_"],
        "metadata": metadata_of(row["metadata"]),
    }


def read_charge(row: asyncpg.Record) -> Charge:
    """Make the charge that a row holds."""
    return Charge(**members(row), floor=row["floor"])


def read_credit(row: asyncpg.Record) -> Credit:
    """Make the credit that a row holds."""
    return Credit(**members(row), type=CreditType(row["type"]) if row["type"] else None)


def charge_values(charge: Charge) -> tuple[Any, ...]:
    """Give the values of a charge: what never changes, and what may."""
    return (*plain_fixed(charge), to_json(charge.metadata), charge.floor, *plain_changing(charge))


def credit_values(credit: Credit) -> tuple[Any, ...]:
    """Give the values of a credit: what never changes, and what may."""
    return (*plain_fixed(credit), to_json(credit.metadata), credit.type, *plain_changing(credit))


CHARGES = Table(
    Charge.kind,
    CHARGE,
    fixed={**FIXED, "metadata": "json", "floor": "bigint"},
    changing=CHANGING,
    read=read_charge,
    values=charge_values,
)

CREDITS = Table(
    Credit.kind,
    CREDIT,
    fixed={**FIXED, "metadata": "json", "type": "text"},
    changing=CHANGING,
    read=read_credit,
    values=credit_values,
)
