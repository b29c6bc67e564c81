"""Taking back: refunds and reversals of payments, in part or in full (contract, section 6)."""

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.applying import with_unallocated
from owed.core.changing_payments import ChangePayment, Part, faults_of, item_of, lessened_by, no_application, take
from owed.core.journal import Journal
from owed.core.ledger import Source
from owed.core.outcomes import Code, Fault, Refused
from owed.core.state import State
from owed.core.times import future_faults
from owed.core.update import renewed
from owed.model.identifiers import REFUND, REVERSAL
from owed.model.payment import Application, Payment
from owed.model.taken_back import Refund, Reversal, TakenBack
from owed.model.transfer import Cause


class Portion(NamedTuple):
    """What a request takes of one application.

    Attributes:
        pointer: Where the request says so.
    """

    application_id: str
    amount: int
    pointer: str


class TakeBack(ChangePayment[list[Part]], frozen=True, kw_only=True):
    """Take back a payment, or a part of it.

    Attributes:
        amount: Minor units; UNSET: what `portions` add up to, or all that is left.
        portions: What to take of which application; UNSET: unallocated money, then of the newest first.
        occurred_at: When it happened; UNSET: now.
    """

    makes: ClassVar[type[TakenBack]]

    amount: int | UnsetType = UNSET
    portions: tuple[Portion, ...] | UnsetType = UNSET
    occurred_at: datetime | UnsetType = UNSET

    def further_faults(self, state: State, now: datetime) -> Iterator[Fault]:
        """Yield what is wrong beyond the form."""
        yield from super().further_faults(state, now)
        yield from future_faults("/occurred_at", self.occurred_at, now)

    def absent(self, payment: Payment, state: State) -> Iterator[Fault]:
        """Yield a fault for each application that the payment does not have."""
        ids = {application.id for application in payment.applications}
        for portion in self.portions or ():
            if portion.application_id not in ids:
                yield no_application(payment, portion.application_id, f"{portion.pointer}/id")

    def planned(self, payment: Payment, state: State) -> list[Part] | Refused:
        """Give what is taken of which application, unless the payment no longer holds it."""
        parts = list(self._parts(payment, state))
        return self._beyond(payment, parts) or parts

    def _of_unallocated(self, payment: Payment) -> int:
        """Give what is taken of the money that is applied to nothing: it goes first, where nobody says otherwise."""
        if self.portions is not UNSET:
            return 0
        return payment.amount_unallocated if self.amount is UNSET else min(self.amount, payment.amount_unallocated)

    def _parts(self, payment: Payment, state: State) -> Iterator[Part]:
        """Yield what is taken of which application."""
        if self.portions is UNSET:
            amount = (payment.held if self.amount is UNSET else self.amount) - self._of_unallocated(payment)
            for application, taken in newest_first(payment, amount):
                yield Part(application, item_of(application, state, self.tenant_id), taken)
            return
        by_id = {application.id: application for application in payment.applications}
        for portion in self.portions:
            application = by_id[portion.application_id]
            item = item_of(application, state, self.tenant_id)
            yield Part(application, item, portion.amount, f"{portion.pointer}/amount")

    def _beyond(self, payment: Payment, parts: list[Part]) -> Refused | None:
        """Refuse to take more than the payment still holds, or than a balance can be raised by."""
        if not payment.held:
            return Refused(Code.CONFLICT, f"Nothing is left of the payment {payment.id}: all of it was taken back.")
        faults = list(faults_of(parts))
        if self.portions is UNSET and self.amount is not UNSET and self.amount > payment.held:
            faults = [Fault("/amount", f"The payment still holds {payment.held}; take back that or less.")]
        return Refused(Code.CONFLICT, faults[0].detail, tuple(faults)) if faults else None

    def made(self, payment: Payment, plan: list[Part], journal: Journal) -> TakenBack:
        """Make the refund or reversal, and let the payment and what it paid stand as they are after it."""
        unallocated = self._of_unallocated(payment)
        taken_back = self.makes(
            **self.basics(payment, journal),
            amount=unallocated + sum(part.amount for part in plan),
            amount_unallocated=unallocated,
            applications=tuple(part.share for part in plan),
            occurred_at=journal.stamp.now if self.occurred_at is UNSET else self.occurred_at,
        )
        source = Source(self.cause, payment.id, payment.channel, taken_back.occurred_at, taken_back.id)
        standing = {part.item.id: part.item for part in plan}  # several applications may be on one object
        for part in plan:
            standing[part.item.id] = take(part, standing[part.item.id], payment, taken_back, source, journal)
        after = lessened(payment, taken_back)
        if unallocated:
            after = with_unallocated(after, -unallocated, source, journal)
        journal.keep(renewed(after, journal))
        return taken_back


class RefundPayment(TakeBack, frozen=True, kw_only=True):
    """Refund a payment: give money back."""

    makes = Refund
    prefix = REFUND
    cause = Cause.REFUND


class ReversePayment(TakeBack, frozen=True, kw_only=True):
    """Reverse a payment: its money never was good."""

    makes = Reversal
    prefix = REVERSAL
    cause = Cause.REVERSAL


def newest_first(payment: Payment, amount: int) -> Iterator[tuple[Application, int]]:
    """Part an amount among the applications of a payment, the newest first, as far as they hold anything."""
    for application in reversed(payment.applications):
        taken = min(amount, application.held)
        amount -= taken
        if taken:
            yield application, taken


def lessened(payment: Payment, taken_back: TakenBack) -> Payment:
    """Give a payment as it is once something was taken back."""
    counted = "amount_refunded" if taken_back.kind == Refund.kind else "amount_reversed"
    return msgspec.structs.replace(
        payment,
        applications=tuple(lessened_by(payment.applications, taken_back.applications)),
        last_taken_back=taken_back.kind,
        **{counted: getattr(payment, counted) + taken_back.amount},
    )
