"""A bill: a one-off amount to collect, on a customer or on an account (contract, section 4)."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, cast

from owed.model import search
from owed.model.billing_object import BillingObject

MAX_AMOUNT = 99_999_999
"""The largest amount of a bill, in minor units."""


class BillStatus(StrEnum):
    """How a bill stands."""

    UNPAID = "unpaid"
    PAID = "paid"
    VOIDED = "voided"


def is_settled(before: BillingObject, after: BillingObject) -> bool:
    """Tell whether a change has settled a bill."""
    return (
        isinstance(before, Bill)
        and isinstance(after, Bill)
        and before.status is not BillStatus.PAID
        and after.status is BillStatus.PAID
    )


class Bill(BillingObject, frozen=True, kw_only=True):
    """One bill. Amounts are in minor units of the obligation's currency.

    Attributes:
        account_id: None where the bill is on the customer itself.
        amount_paid: All that has been paid, here and elsewhere, and what was credited.
        amount_received: What of it payments through Owed hold.
        amount_credited: What of it nobody paid: credit notes, discounts and write-offs.
        is_voided: Then nothing is owed any more, and the obligation's total is zero.
    """

    kind: ClassVar[str] = "bill"

    customer_id: str
    account_id: str | None = None
    amount_due: int
    amount_paid: int = 0
    amount_received: int = 0
    amount_credited: int = 0
    is_voided: bool = False
    bill_date: date
    due_date: date | None = None

    @property
    def owners(self) -> tuple[str, ...]:
        """Give the ids of its customer and its account."""
        return (self.customer_id,) if self.account_id is None else (self.customer_id, self.account_id)

    @property
    def currency(self) -> str:
        """Give the currency, which a bill always has."""
        return cast("str", self.obligation.currency)

    @property
    def amount_remaining(self) -> int:
        """Give what is left to pay; a void leaves it as it was."""
        return max(0, self.amount_due - self.amount_paid)

    @property
    def status(self) -> BillStatus:
        """Tell how the bill stands: unpaid until nothing remains."""
        if self.is_voided:
            return BillStatus.VOIDED
        return BillStatus.UNPAID if self.amount_remaining else BillStatus.PAID

    def members(self) -> dict[str, Any]:
        """Give the members of the bill, in the order of the contract."""
        return {
            "id": self.id,
            "external_reference": self.external_reference,
            "customer_id": self.customer_id,
            "account_id": self.account_id,
            "status": self.status,
            "currency": self.currency,
            "amount_due": self.amount_due,
            "amount_paid": self.amount_paid,
            "amount_remaining": self.amount_remaining,
            "bill_date": self.bill_date,
            "due_date": self.due_date,
            "payment_rules": self.payment_rules,
            "metadata": self.metadata or None,
        }

    def searched(self) -> tuple[Any, ...]:
        """Give all that the bill's search terms are made of, as far as it can change."""
        return *super().searched(), self.status, self.due_date

    def terms(self) -> Iterator[str]:
        """Yield every term that the bill is found by."""
        yield from super().terms()
        yield from search.word_terms(self.external_reference)
        yield from map(search.owner_term, self.owners)
        yield search.status_term(self.status)
        if self.due_date is not None:
            yield from search.due_terms_of(self.status, self.due_date)
