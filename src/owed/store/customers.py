"""Customers in PostgreSQL."""

from typing import Any

import asyncpg

from owed.model.customer import Customer
from owed.model.identifiers import CUSTOMER
from owed.store.billing_tables import billing_table, obligation_of


def read(members: dict[str, Any], row: asyncpg.Record) -> Customer:
    """Make the customer that a row holds."""
    obligation = obligation_of(row, is_tracked=row["tracked"])
    return Customer(**members, obligation=obligation, name=row["name"], email=row["email"], phone=row["phone"])


def values(customer: Customer) -> tuple[Any, ...]:
    """Give the values of a customer's own columns."""
    return customer.name, customer.email, customer.phone, customer.obligation.tracked


CUSTOMERS = billing_table(
    Customer.kind,
    prefix=CUSTOMER,
    reserved=CUSTOMER,
    fixed={},
    changing={"name": "text", "email": "text", "phone": "text", "tracked": "bool"},
    read=read,
    values=values,
)
