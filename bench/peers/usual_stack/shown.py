"""Customers, accounts, bills, payments and refunds as the API shows them."""

from datetime import date, datetime
from typing import Any, Self

from pydantic import BaseModel

from bench.peers.usual_stack.tables import Application, BillingObject, Payment, Refund

TARGETS = ("customer_id", "account_id", "bill_id")


class Shown(BaseModel):
    def json_text(self) -> str:
        return self.model_dump_json(exclude_none=True)


class Out(Shown):
    id: str
    external_reference: str

    @classmethod
    def of(cls, thing: BillingObject) -> Self:
        members = {name: getattr(thing, name) for name in cls.model_fields if name != "metadata"}
        return cls(**members, metadata=thing.attributes or None)


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


class ApplicationOut(Shown):
    id: str
    amount: int
    customer_id: str | None
    account_id: str | None
    bill_id: str | None

    @classmethod
    def of(cls, application: Application, amount: int | None = None) -> Self:
        """Show an application, or an amount that is taken back of it."""
        members = {name: getattr(application, name) for name in cls.model_fields}
        return cls(**members if amount is None else {**members, "amount": amount})


class AppliedOut(ApplicationOut):
    """What the event of an application shows."""

    currency: str
    payment_id: str
    refund_id: str | None = None
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime


class PaymentOut(Shown):
    id: str
    status: str
    amount: int
    amount_refunded: int
    amount_reversed: int
    amount_unallocated: int = 0
    currency: str
    customer_id: str | None = None
    account_id: str | None = None
    bill_id: str | None = None
    applications: list[ApplicationOut]
    external_reference: str | None
    channel: str | None
    method: str | None
    provider_reference: str | None
    metadata: dict[str, str] | None
    paid_at: datetime
    created_at: datetime

    @classmethod
    def of(cls, payment: Payment) -> Self:
        set_apart = ("applications", "metadata", "amount_unallocated", *TARGETS)
        members = {name: getattr(payment, name) for name in cls.model_fields if name not in set_apart}
        applied = [ApplicationOut.of(each) for each in payment.applications]
        one = {name: getattr(applied[0], name) for name in TARGETS} if len(applied) == 1 else {}
        return cls(**members, **one, applications=applied, metadata=payment.attributes or None)


class RefundOut(Shown):
    id: str
    payment_id: str
    amount: int
    currency: str
    applications: list[ApplicationOut]
    reason: str | None
    external_reference: str | None
    metadata: dict[str, str] | None
    created_at: datetime

    @classmethod
    def of(cls, refund: Refund, shares: list[ApplicationOut]) -> Self:
        members = {name: getattr(refund, name) for name in cls.model_fields if name not in ("applications", "metadata")}
        return cls(**members, applications=shares, metadata=refund.attributes or None)


class CheckOut(Shown):
    allowed: bool
    rules: list[str]
    would_pass: dict[str, int] | None = None
    settles: int | None = None
    applications: list[dict[str, Any]] | None = None
    after: list[CustomerOut | AccountOut | BillOut]
