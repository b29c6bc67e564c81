"""Changing payments: what refunds, reversals, allocations and moves have in common (contract, section 6)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import msgspec

from owed.core.applying import amount_reversed, applied
from owed.core.journal import Journal
from owed.core.ledger import Source
from owed.core.metadata import metadata_faults
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused, invalid, taken
from owed.core.preconditions import IfMatch, stale
from owed.core.state import Name, State
from owed.model.attribution import Actor
from owed.model.billing_object import BillingObject
from owed.model.money import MAX_TOTAL
from owed.model.payment import Application, Payment, in_channel
from owed.model.payment_document import PaymentDocument, Share
from owed.model.transfer import Cause

Plan = TypeVar("Plan")


class ChangePayment(msgspec.Struct, Generic[Plan], frozen=True, kw_only=True):
    """Change a payment, and make the document that says how.

    Attributes:
        payment: The payment's id or reference, or its reference in a channel.
        faults: What is wrong with the request already, as far as its form goes.
    """

    makes: ClassVar[type[PaymentDocument]]
    prefix: ClassVar[str]
    cause: ClassVar[Cause]

    tenant_id: int
    actor: Actor
    payment: str
    if_match: IfMatch = None
    reason: str | None = None
    external_reference: str | None = None
    metadata: dict[str, str] = {}
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
        """Do what is asked, unless its form, its reference or what the payment still holds forbids it."""
        payment = state.payments.find(self.tenant_id, self.payment)
        if payment is None:
            return no_payment(self.payment)
        if refusal := stale(self.if_match, payment.version) or self._unusable(payment, state, journal.stamp.now):
            return refusal
        if refusal := self._taken(state):
            return refusal
        plan = self.planned(payment, state)
        if isinstance(plan, Refused):
            state.require(self.claims())
            return plan
        document = self.made(payment, plan, journal)
        journal.concern(document.id, f"{document.kind}.create")
        journal.attest()
        return Done(journal.keep(document), created=True)

    def further_faults(self, state: State, now: datetime) -> Iterator[Fault]:
        """Yield what is wrong beyond the form."""
        return metadata_faults(self.metadata)

    def absent(self, payment: Payment, state: State) -> Iterator[Fault]:
        """Yield a fault for each thing that the request names and that does not exist."""
        raise NotImplementedError

    def planned(self, payment: Payment, state: State) -> Plan | Refused:
        """Give what is to be done, unless what stands forbids it."""
        raise NotImplementedError

    def made(self, payment: Payment, plan: Plan, journal: Journal) -> PaymentDocument:
        """Do it, and give the document."""
        raise NotImplementedError

    def basics(self, payment: Payment, journal: Journal) -> dict[str, Any]:
        """Give what every document has."""
        return {
            "tenant_id": self.tenant_id,
            "id": journal.stamp.new_id(self.prefix),
            "payment_id": payment.id,
            "external_reference": self.external_reference,
            "currency": payment.currency,
            "reason": self.reason,
            "metadata": self.metadata,
            "created_at": journal.stamp.now,
        }

    def _unusable(self, payment: Payment, state: State, now: datetime) -> Refused | None:
        """Refuse a request that is not valid, or that names what does not exist."""
        if faults := (*self.faults, *self.further_faults(state, now)):
            return invalid(faults)
        absent = tuple(self.absent(payment, state))
        return Refused(Code.NOT_FOUND, absent[0].detail, absent) if absent else None

    def _taken(self, state: State) -> Refused | None:
        """Refuse for a reference that another of this kind has."""
        reference, kind = self.external_reference, self.makes.kind
        if reference is None or (holder := state.shelves[kind].holder(self.tenant_id, reference)) is None:
            return None
        return taken(kind, reference, holder.id, payment_id=holder.payment_id)


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
        return share_of(self.application, self.amount)

    def faults(self, raised: int) -> Iterator[Fault]:
        """Yield why it cannot be taken.

        Args:
            raised: By how much all parts together raise what is owed on the object.
        """
        if self.amount > self.application.held:
            held = f"The payment still holds {self.application.held} of {self.application.id}"
            yield Fault(self.pointer, f"{held}; take back that or less.")
        if self.item.obligation.total + raised > MAX_TOTAL:
            detail = f"This would raise the balance of {self.item.id} beyond {MAX_TOTAL}; lower it first."
            yield Fault(self.pointer, detail)


def faults_of(parts: Iterable[Part]) -> Iterator[Fault]:
    """Yield why parts cannot be taken together."""
    raised = Counter[str]()
    for part in parts:
        raised[part.item.id] += part.amount
        yield from part.faults(raised[part.item.id])


def take(
    part: Part, item: BillingObject, payment: Payment, document: PaymentDocument, source: Source, journal: Journal
) -> BillingObject:
    """Take one part back from what it paid, tell of it, and give the object as it is then.

    Args:
        item: The object as it stands: other parts may have been taken from it before.
    """
    after = applied(item, -part.amount, source, journal)
    return journal.record(after, amount_reversed(payment, part.application, document, part.amount))


def share_of(application: Application, amount: int) -> Share:
    """Give what a document says of an application."""
    return Share(id=application.id, kind=application.kind, object_id=application.object_id, amount=amount)


def item_of(application: Application, state: State, tenant_id: int) -> BillingObject:
    """Give the object that an application paid."""
    item: BillingObject | None = state.shelves[application.kind].find(tenant_id, application.object_id)
    if item is None:
        raise LookupError(application.object_id)  # a payment is loaded with what it was applied to
    return item


def lessened_by(applications: Iterable[Application], shares: Iterable[Share]) -> Iterator[Application]:
    """Yield applications as they are once shares were taken of them."""
    taken = {share.id: share.amount for share in shares}
    for each in applications:
        yield msgspec.structs.replace(each, taken_back=each.taken_back + taken[each.id]) if each.id in taken else each


def no_application(payment: Payment, application_id: str, pointer: str) -> Fault:
    """Give the fault of an application that a payment does not have."""
    return Fault(pointer, f"The payment {payment.id} has no application {application_id!r}.")


def no_payment(name: str) -> Refused:
    """Refuse for want of the payment that a path names, in a channel or without one."""
    channel, colon, reference = name.rpartition(":")
    where = f" {in_channel(channel)}" if colon else ""
    detail = f"There is no payment with the id or external reference {reference!r}{where} for this key."
    return Refused(Code.PAYMENT_NOT_FOUND, detail)
