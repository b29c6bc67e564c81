"""Reallocating: money of a payment that is applied elsewhere, or at last (contract, section 6)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.applying import apply, with_unallocated
from owed.core.changing_payments import (
    ChangePayment,
    Part,
    faults_of,
    item_of,
    lessened_by,
    no_application,
    share_of,
    take,
)  # fmt: skip
from owed.core.fitting import fitting, misfit
from owed.core.journal import Journal
from owed.core.ledger import Source
from owed.core.outcomes import Code, Fault, Refused
from owed.core.receiving import customer_of
from owed.core.state import Name, State
from owed.core.targets import Target, absent, found_of, names_of, repeated
from owed.core.update import renewed
from owed.model.billing_object import BillingObject
from owed.model.identifiers import ALLOCATION, APPLICATION, MOVE
from owed.model.payment import Application, Payment
from owed.model.payment_document import PaymentDocument
from owed.model.reallocation import Allocation, Move
from owed.model.transfer import Cause


class Placing(NamedTuple):
    """What goes to one object."""

    item: BillingObject
    amount: int


class Moving(NamedTuple):
    """What a move takes, and the one place where that goes; none: it becomes unallocated money."""

    part: Part
    placings: list[Placing]


class Allocate(ChangePayment[list[Placing]], frozen=True, kw_only=True):
    """Apply unallocated money of a payment.

    Attributes:
        targets: What it is applied to, as far as the form is right.
        is_all: Whether the one target takes all that fits, whatever amount it says.
    """

    makes = Allocation
    prefix = ALLOCATION
    cause = Cause.ALLOCATION

    targets: tuple[Target, ...] = ()
    is_all: bool = False

    def reads(self) -> tuple[Name, ...]:
        """Name the payment, and what it is to be applied to."""
        return (*super().reads(), *names_of(self.targets, self.tenant_id))

    def further_faults(self, state: State, now: datetime) -> Iterator[Fault]:
        """Yield what is wrong beyond the form: what is named twice, too."""
        yield from super().further_faults(state, now)
        yield from repeated(self.targets, found_of(self.targets, state, self.tenant_id))

    def absent(self, payment: Payment, state: State) -> Iterator[Fault]:
        """Yield a fault for each target that does not exist."""
        return absent(self.targets, found_of(self.targets, state, self.tenant_id))

    def planned(self, payment: Payment, state: State) -> list[Placing] | Refused:
        """Give what goes where, unless there is not as much, or it does not fit there."""
        unallocated = payment.amount_unallocated
        if not unallocated:
            return Refused(Code.CONFLICT, f"Nothing of the payment {payment.id} is unallocated.")
        found = found_of(self.targets, state, self.tenant_id)
        placings = [Placing(item, target.amount) for target, item in zip(self.targets, found, strict=True)]
        if self.is_all:
            (item,) = found
            placings = [Placing(item, min(unallocated, fitting(item, payment.currency)))]
        elif (wanted := sum(placing.amount for placing in placings)) > unallocated:
            return beyond(self.targets[0].amount_pointer, wanted, unallocated, payment)
        return refused_by(placings, self.targets, payment.currency) or placings

    def made(self, payment: Payment, plan: list[Placing], journal: Journal) -> Allocation:
        """Make the allocation, and apply the money."""
        basics = self.basics(payment, journal)
        made = [application_of(placing, basics, journal) for placing in plan]
        amount = sum(each.amount for each in made)
        allocation = Allocation(
            **basics, amount=amount, applications=tuple(share_of(each, each.amount) for each in made)
        )
        source = source_of(self.cause, allocation)
        after = with_unallocated(payment, -amount, source, journal)
        for application, placing in zip(made, plan, strict=True):
            apply(payment, application, placing.item, source, journal)
        journal.keep(renewed(msgspec.structs.replace(after, applications=(*after.applications, *made)), journal))
        return allocation


class MovePayment(ChangePayment[Moving], frozen=True, kw_only=True):
    """Take what a payment holds on one obligation to another, or make it unallocated money.

    Attributes:
        application: The id of what holds it; None: the only one that holds anything.
        amount: Minor units; UNSET: all that it holds.
        target: Where it goes, whatever amount that says; None: nowhere.
    """

    makes = Move
    prefix = MOVE
    cause = Cause.MOVE

    application: str | None = None
    amount: int | UnsetType = UNSET
    target: Target | None = None

    def reads(self) -> tuple[Name, ...]:
        """Name the payment, and where its money goes."""
        return (*super().reads(), *names_of(self._targets, self.tenant_id))

    def absent(self, payment: Payment, state: State) -> Iterator[Fault]:
        """Yield a fault for an application that the payment does not have, and for a target that does not exist."""
        if self.application is not None and self._origin(payment) is None:
            yield no_application(payment, self.application, "/application")
        yield from absent(self._targets, found_of(self._targets, state, self.tenant_id))

    def planned(self, payment: Payment, state: State) -> Moving | Refused:
        """Give what is taken and where it goes, unless it is not there any more, or does not fit."""
        application = self._origin(payment)
        if application is None:
            return conflict(Fault("/application", "Say which: the payment holds money on none, or on more than one."))
        if not application.held:
            return conflict(Fault("/application", f"The payment holds nothing of {application.id} any more."))
        amount = application.held if self.amount is UNSET else self.amount
        part = Part(application, item_of(application, state, self.tenant_id), amount)
        if faults := tuple(faults_of([part])):
            return Refused(Code.CONFLICT, faults[0].detail, faults)
        placings = [Placing(item, amount) for item in found_of(self._targets, state, self.tenant_id)]
        if placings and placings[0].item.id == part.item.id:
            return conflict(Fault(self._targets[0].pointer, f"The money is on the {part.item.kind} already."))
        return refused_by(placings, self._targets, payment.currency) or Moving(part, placings)

    def made(self, payment: Payment, plan: Moving, journal: Journal) -> Move:
        """Make the move: take the money off the one, and put it on the other."""
        (part, placings), basics = plan, self.basics(payment, journal)
        made = [application_of(placing, basics, journal) for placing in placings]
        shares = tuple(share_of(each, each.amount) for each in made)
        move = Move(**basics, amount=part.amount, origin=part.share, applications=shares)
        source = source_of(self.cause, move)
        take(part, part.item, payment, move, source, journal)
        after = payment if placings else set_aside(payment, part, source, journal)
        for application, placing in zip(made, placings, strict=True):
            apply(payment, application, placing.item, source, journal)
        applications = (*lessened_by(after.applications, [part.share]), *made)
        journal.keep(renewed(msgspec.structs.replace(after, applications=applications), journal))
        return move

    @property
    def _targets(self) -> tuple[Target, ...]:
        return () if self.target is None else (self.target,)

    def _origin(self, payment: Payment) -> Application | None:
        if self.application is not None:
            return next((each for each in payment.applications if each.id == self.application), None)
        holding = [each for each in payment.applications if each.held]
        return holding[0] if len(holding) == 1 else None


def refused_by(placings: Sequence[Placing], targets: Sequence[Target], currency: str) -> Refused | None:
    """Refuse what does not fit where it is to go, and say what would."""
    faults, fits = [], []
    for (item, amount), target in zip(placings, targets, strict=True):
        if reason := misfit(item, amount, currency):
            most = fitting(item, currency)
            faults.append(Fault(target.amount_pointer if most else target.pointer, reason))
            fits.append(most)
    return Refused(Code.CONFLICT, faults[0].detail, tuple(faults), {"fits": fits[0]}) if faults else None


def beyond(pointer: str, wanted: int, unallocated: int, payment: Payment) -> Refused:
    """Refuse to allocate more than is unallocated."""
    detail = f"{unallocated} of the payment {payment.id} is unallocated, which is less than {wanted}."
    fault = Fault(pointer, f"Give {unallocated} or less.")
    return Refused(Code.CONFLICT, detail, (fault,), {"fits": unallocated})


def conflict(fault: Fault) -> Refused:
    """Refuse for one fault."""
    return Refused(Code.CONFLICT, fault.detail, (fault,))


def application_of(placing: Placing, document: dict[str, Any], journal: Journal) -> Application:
    """Make the application of what goes to one object.

    Args:
        document: The members of the allocation or move that applies it.
    """
    return Application(
        id=journal.stamp.new_id(APPLICATION),
        kind=placing.item.kind,
        object_id=placing.item.id,
        amount=placing.amount,
        owners=placing.item.owners,
        document_id=document["id"],
        applied_at=document["created_at"],
    )


def source_of(cause: Cause, document: PaymentDocument) -> Source:
    """Give where the transfers of an allocation or move come from; it happens as it is made."""
    return Source(cause, document.payment_id, occurred_at=document.created_at, document_id=document.id)


def set_aside(payment: Payment, part: Part, source: Source, journal: Journal) -> Payment:
    """Give the payment with a part unallocated: its customer's, unless there is one whose such money is already."""
    owner = payment.unallocated_customer_id or customer_of(part.item)
    after = with_unallocated(payment, part.amount, source, journal)
    return msgspec.structs.replace(after, unallocated_customer_id=owner)
