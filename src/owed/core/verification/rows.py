"""What payments, and what changed them, say of themselves."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from owed.model.payment import Application
from owed.model.payment_document import Share
from owed.model.reallocation import Allocation, Move
from owed.model.taken_back import Refund, Reversal

COUNTED = {Refund.kind: "amount_refunded", Reversal.kind: "amount_reversed"}
"""The members of a payment that count what was taken back."""


class PaymentRow(NamedTuple):
    """What a payment says.

    Attributes:
        unallocated: What of it is applied to nothing.
        later: What changed it after the time up to which payments are compared.
    """

    id: str
    amount: int
    currency: str
    channel: str | None
    paid_at: datetime
    applications: tuple[Application, ...]
    amount_refunded: int
    amount_reversed: int
    unallocated: int = 0
    later: tuple["DocumentRow", ...] = ()


class DocumentRow(NamedTuple):
    """What a refund, a reversal, an allocation or a move says, and the channel of its payment.

    Attributes:
        amount_unallocated: What a refund or a reversal took of unallocated money.
        origin: Where a move took money from.
        channel: As `occurred_at`, it is read where its transfers are compared.
    """

    id: str
    kind: str
    payment_id: str
    amount: int
    currency: str
    applications: tuple[Share, ...]
    amount_unallocated: int = 0
    origin: Share | None = None
    channel: str | None = None
    occurred_at: datetime | None = None

    @property
    def taken(self) -> tuple[Share, ...]:
        """Give what it took of applications."""
        if self.kind in COUNTED:
            return self.applications
        return () if self.origin is None else (self.origin,)

    @property
    def given(self) -> tuple[Share, ...]:
        """Give the applications that it made."""
        return () if self.kind in COUNTED else self.applications

    @property
    def of_unallocated(self) -> int:
        """Give what it took of unallocated money; below zero it made some."""
        if self.kind in COUNTED:
            return self.amount_unallocated
        if self.kind == Allocation.kind:
            return self.amount
        return 0 if self.applications else -self.amount


def faults_of_payment(row: PaymentRow) -> Iterator[str]:
    """Yield where a payment contradicts itself: all of it is applied, unallocated, refunded or reversed."""
    held = 0
    for each in row.applications:
        held += each.held
        if not 0 <= each.taken_back <= each.amount:
            yield f"what was taken back of {each.id} is {each.taken_back}, of {each.amount}"
    accounted = held + row.unallocated + row.amount_refunded + row.amount_reversed
    if accounted != row.amount or row.unallocated < 0:
        parts = f"{held} of it is applied, {row.unallocated} unallocated"
        yield f"its amount is {row.amount}; {parts}, {row.amount_refunded} refunded, {row.amount_reversed} reversed"


def faults_of_document(row: DocumentRow) -> Iterator[str]:
    """Yield where a document contradicts itself: what it takes is its amount, and so is what it gives."""
    taken = row.of_unallocated + sum(share.amount for share in row.taken)
    given = sum(share.amount for share in row.given)
    if row.kind in COUNTED and taken != row.amount:
        yield f"its amount is {row.amount}, and its applications add up to {taken}"
    if row.kind not in COUNTED and taken != given:
        yield f"it takes {taken}, and its applications add up to {given}"
    if row.kind == Move.kind and row.amount != sum(share.amount for share in row.taken):
        yield f"its amount is {row.amount}, and it takes {taken}"
