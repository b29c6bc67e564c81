"""Accounts in PostgreSQL."""

from typing import Any

import asyncpg

from owed.model.account import Account
from owed.model.identifiers import ACCOUNT
from owed.store.billing_tables import billing_table, obligation_of


def read(members: dict[str, Any], row: asyncpg.Record) -> Account:
    """Make the account that a row holds."""
    obligation = obligation_of(row, is_tracked=row["tracked"])
    return Account(**members, obligation=obligation, customer_id=row["customer_id"], name=row["name"])


def values(account: Account) -> tuple[Any, ...]:
    """Give the values of an account's own columns."""
    return account.customer_id, account.name, account.obligation.tracked


ACCOUNTS = billing_table(
    Account.kind,
    prefix=ACCOUNT,
    reserved=ACCOUNT,
    fixed={"customer_id": "text"},
    changing={"name": "text", "tracked": "bool"},
    read=read,
    values=values,
)
