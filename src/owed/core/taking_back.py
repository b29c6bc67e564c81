"""Taking back: refunds and reversals of payments, in part or in full (contract, section 6)."""

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.journal import Journal
from owed.core.ledger import Source
from owed.core.metadata import metadata_faults
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused, invalid
from owed.core.preconditions import IfMatch, stale
from owed.core.receiving import amount_reversed, future_faults, received
from owed.core.state import Name, State, Unread
from owed.core.update import renewed
from owed.model.attribution import Actor
from owed.model.billing_object import BillingObject
from owed.model.identifiers import REFUND, REVERSAL
from owed.model.money import MAX_TOTAL
from owed.model.payment import Application, Payment, in_channel
from owed.model.taken_back import Refund, Reversal, Share, TakenBack
from owed.model.transfer import Cause


class Portion(NamedTuple):
    """What a request takes of one application.

    Attributes:
        pointer: Where the request says so.
    """

    application_id: str
    amount: int
    pointer: str


class Part(NamedTuple):
    """What is taken of one application.

    Attributes:
        item: The object that it was applied to.
        pointer: The member that says how much.
    """

    application: Application
    item: BillingObject
    amount: int
    pointer: str = "/amount"

    @property
    def share(self) -> Share:
        """Give the part as it is kept."""
        application = self.application
        return Share(id=application.id, kind=application.kind, object_id=application.object_id, amount=self.amount)

    def faults(self) -> Iterator[Fault]:
        """Yield why it cannot be taken."""
        if self.amount > self.application.held:
            held = f"The payment still holds {self.application.held} of {self.application.id}"
            yield Fault(self.pointer, f"{held}; take back that or less.")
        if self.item.obligation.total + self.amount > MAX_TOTAL:
            detail = f"This would raise the balance of {self.item.id} beyond {MAX_TOTAL}; lower it first."
            yield Fault(self.pointer, detail)


class TakeBack(msgspec.Struct, frozen=True, kw_only=True):
    """Take back a payment, or a part of it.

    Attributes:
        payment: The payment's id or reference, or its reference in a channel.
        amount: Minor units; UNSET: what `portions` add up to, or all that is left.
        portions: What to take of which application; UNSET: of the newest first.
        occurred_at: When it happened; UNSET: now.
        faults: What is wrong with the request already, as far as its form goes.
    """

    makes: ClassVar[type[TakenBack]]
    prefix: ClassVar[str]
    cause: ClassVar[Cause]

    tenant_id: int
    actor: Actor
    payment: str
    if_match: IfMatch = None
    amount: int | UnsetType = UNSET
    portions: tuple[Portion, ...] | UnsetType = UNSET
    reason: str | None = None
    external_reference: str | None = None
    metadata: dict[str, str] = {}
    occurred_at: datetime | UnsetType = UNSET
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name the payment: what it was applied to comes with it."""
        return (Name(Payment.kind, self.tenant_id, self.payment),)

    def claims(self) -> tuple[Name, ...]:
        """Name the reference that this takes."""
        if self.external_reference is None:
            return ()
        return (Name(self.makes.kind, self.tenant_id, self.external_reference),)

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Take back what is asked, unless its form, its reference or what the payment still holds forbids it."""
        payment = state.payments.find(self.tenant_id, self.payment)
        if payment is None:
            return no_payment(self.payment)
        if refusal := stale(self.if_match, payment.version) or self._unusable(payment, journal.stamp.now):
            return refusal
        if refusal := self._taken(state):
            return refusal
        parts = list(self._parts(payment, state))
        if refusal := self._beyond(payment, parts):
            if self.external_reference is not None and not state.knows_claims:
                raise Unread  # a reference that is taken is told first
            return refusal
        return Done(self._made(payment, parts, journal), created=True)

    def _unusable(self, payment: Payment, now: datetime) -> Refused | None:
        """Refuse a request that is not valid, or that names an application that the payment does not have."""
        if faults := (*self.faults, *self._further_faults(now)):
            return invalid(faults)
        ids = {application.id for application in payment.applications}
        absent = tuple(
            Fault(f"{portion.pointer}/id", f"The payment {payment.id} has no application {portion.application_id!r}.")
            for portion in self.portions or ()
            if portion.application_id not in ids
        )
        return Refused(Code.NOT_FOUND, absent[0].detail, absent) if absent else None

    def _further_faults(self, now: datetime) -> Iterator[Fault]:
        """Yield what is wrong beyond the form."""
        yield from metadata_faults(self.metadata)
        yield from future_faults("/occurred_at", self.occurred_at, now)

    def _taken(self, state: State) -> Refused | None:
        """Refuse for a reference that another of this kind has."""
        reference, kind = self.external_reference, self.makes.kind
        holder = None if reference is None else state.shelves[kind].holder(self.tenant_id, reference)
        if holder is None:
            return None
        detail = f"The external reference {reference!r} belongs to the {kind} {holder.id}."
        fault = Fault("/external_reference", f"Choose another, or retrieve the {kind} that has it.")
        return Refused(Code.CONFLICT, detail, (fault,), {f"{kind}_id": holder.id, "payment_id": holder.payment_id})

    def _parts(self, payment: Payment, state: State) -> Iterator[Part]:
        """Yield what is taken of which application."""
        if self.portions is UNSET:
            amount = payment.held if self.amount is UNSET else self.amount
            for application, taken in newest_first(payment, amount):
                yield Part(application, self._item(application, state), taken)
            return
        by_id = {application.id: application for application in payment.applications}
        for portion in self.portions:
            application = by_id[portion.application_id]
            yield Part(application, self._item(application, state), portion.amount, f"{portion.pointer}/amount")

    def _item(self, application: Application, state: State) -> BillingObject:
        """Give the object that an application paid."""
        item: BillingObject | None = state.shelves[application.kind].find(self.tenant_id, application.object_id)
        if item is None:
            raise LookupError(application.object_id)  # a payment is loaded with what it was applied to
        return item

    def _beyond(self, payment: Payment, parts: list[Part]) -> Refused | None:
        """Refuse to take more than the payment still holds, or than a balance can be raised by."""
        if not payment.held:
            return Refused(Code.CONFLICT, f"Nothing is left of the payment {payment.id}: all of it was taken back.")
        faults = [fault for part in parts for fault in part.faults()]
        if self.portions is UNSET and self.amount is not UNSET and self.amount > payment.held:
            faults = [Fault("/amount", f"The payment still holds {payment.held}; take back that or less.")]
        return Refused(Code.CONFLICT, faults[0].detail, tuple(faults)) if faults else None

    def _made(self, payment: Payment, parts: list[Part], journal: Journal) -> TakenBack:
        """Make the refund or reversal, and let the payment and what it paid stand as they are after it."""
        now = journal.stamp.now
        taken_back = self.makes(
            tenant_id=self.tenant_id,
            id=journal.stamp.new_id(self.prefix),
            payment_id=payment.id,
            external_reference=self.external_reference,
            amount=sum(part.amount for part in parts),
            currency=payment.currency,
            reason=self.reason,
            applications=tuple(part.share for part in parts),
            metadata=self.metadata,
            occurred_at=now if self.occurred_at is UNSET else self.occurred_at,
            created_at=now,
        )
        for part in parts:
            self._take(part, payment, taken_back, journal)
        journal.keep(renewed(lessened(payment, taken_back), journal))
        journal.concern(taken_back.id, f"{taken_back.kind}.create")
        journal.attest()
        return journal.keep(taken_back)

    def _take(self, part: Part, payment: Payment, taken_back: TakenBack, journal: Journal) -> None:
        """Take one part back from what it paid, and tell of it."""
        source = Source(self.cause, payment.id, payment.channel, taken_back.occurred_at, taken_back.id)
        after = received(part.item, -part.amount, source, journal)
        journal.record(after, amount_reversed(payment, part.application, taken_back, part.amount))


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
    taken = {share.id: share.amount for share in taken_back.applications}
    counted = "amount_refunded" if taken_back.kind == Refund.kind else "amount_reversed"
    return msgspec.structs.replace(
        payment,
        applications=tuple(
            msgspec.structs.replace(each, taken_back=each.taken_back + taken.get(each.id, 0))
            for each in payment.applications
        ),
        last_taken_back=taken_back.kind,
        **{counted: getattr(payment, counted) + taken_back.amount},
    )


def no_payment(name: str) -> Refused:
    """Refuse for want of the payment that a path names, in a channel or without one."""
    channel, colon, reference = name.rpartition(":")
    where = f" {in_channel(channel)}" if colon else ""
    detail = f"There is no payment with the id or external reference {reference!r}{where} for this key."
    return Refused(Code.PAYMENT_NOT_FOUND, detail)
