"""Customers, accounts and bills as the API shows them."""

from datetime import date
from typing import Any, Self

from pydantic import BaseModel

from bench.peers.usual_stack.tables import BillingObject


class Out(BaseModel):
    id: str
    external_reference: str

    @classmethod
    def of(cls, thing: BillingObject) -> Self:
        members = {name: getattr(thing, name) for name in cls.model_fields if name != "metadata"}
        return cls(**members, metadata=thing.attributes or None)

    def json_text(self) -> str:
        return self.model_dump_json(exclude_none=True)


class CustomerOut(Out):
    name: str | None
    email: str | None
    phone: str | None
    currency: str | None
    balance: int | None
    payment_rules: dict[str, Any]
    metadata: dict[str, str] | None


class AccountOut(Out):
    customer_id: str
    name: str | None
    currency: str | None
    balance: int | None
    payment_rules: dict[str, Any]
    metadata: dict[str, str] | None


class BillOut(Out):
    customer_id: str
    account_id: str | None
    status: str
    currency: str
    amount_due: int
    amount_paid: int
    amount_remaining: int
    bill_date: date
    due_date: date | None
    payment_rules: dict[str, Any]
    metadata: dict[str, str] | None
