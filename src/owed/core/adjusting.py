"""Adjusting: charges and credits, which change what is owed by an amount (docs/api.md, "Charges and credits")."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.currencies import currency_faults
from owed.core.journal import Journal
from owed.core.ledger import Source
from owed.core.members import certain
from owed.core.metadata import metadata_faults
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused, invalid, not_found, taken
from owed.core.preconditions import IfMatch, stale
from owed.core.state import Name, State
from owed.core.times import future_faults
from owed.core.update import renewed
from owed.model.adjustment import Adjustment, Charge, Credit, CreditType
from owed.model.attribution import Actor
from owed.model.bill import MAX_AMOUNT, Bill, is_settled
from owed.model.billing_object import BillingObject
from owed.model.identifiers import CHARGE, CREDIT
from owed.model.money import MAX_TOTAL

Owing = TypeVar("Owing", bound=BillingObject)


class Adjust(msgspec.Struct, frozen=True, kw_only=True):
    """Change what is owed on an object by an amount.

    Attributes:
        object_kind: Of the object.
        name: The object's id or external reference.
        if_match: The versions of the object for which this is meant.
        amount: Minor units. UNSET, here and below: not given, or given in a form that is wrong.
        currency: Where it is given, the object's own, or its first.
        occurred_at: When it happened; UNSET: now.
        faults: What is wrong with the request already, as far as its form goes.
    """

    makes: ClassVar[type[Adjustment]]
    prefix: ClassVar[str]

    tenant_id: int
    actor: Actor
    object_kind: str
    name: str
    if_match: IfMatch = None
    amount: int | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    reason: str | None = None
    external_reference: str | None = None
    metadata: dict[str, str] = {}
    occurred_at: datetime | UnsetType = UNSET
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name the object."""
        return (Name(self.object_kind, self.tenant_id, self.name),)

    def claims(self) -> tuple[Name, ...]:
        """Name the reference that this takes."""
        if self.external_reference is None:
            return ()
        return (Name(self.makes.kind, self.tenant_id, self.external_reference),)

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Change what is owed, unless the request's form, its reference or what stands forbids it."""
        item: BillingObject | None = state.shelves[self.object_kind].find(self.tenant_id, self.name)
        if item is None:
            return not_found(self.object_kind, self.name)
        if refusal := stale(self.if_match, item.version) or self._unusable(item, journal.stamp.now):
            return refusal
        if refusal := self._taken(state):
            return refusal
        if refusal := currency_refusal(item, self.currency) or self.forbidden(item, certain(self.amount)):
            state.require(self.claims())
            return refusal
        return Done(self._made(item, journal), created=True)

    def forbidden(self, item: BillingObject, amount: int) -> Refused | None:
        """Refuse an amount that what stands forbids."""
        raise NotImplementedError

    def special(self) -> dict[str, Any]:
        """Give the members that only those of its kind have."""
        return {}

    def _unusable(self, item: BillingObject, now: datetime) -> Refused | None:
        faults = (*self.faults, *self._further_faults(item, now))
        return invalid(faults) if faults else None

    def _further_faults(self, item: BillingObject, now: datetime) -> Iterator[Fault]:
        """Yield what is wrong beyond the form."""
        yield from currency_faults(item.obligation.currency, self.currency)
        yield from metadata_faults(self.metadata)
        yield from future_faults("/occurred_at", self.occurred_at, now)

    def _taken(self, state: State) -> Refused | None:
        """Refuse for a reference that another of this kind has."""
        reference, kind = self.external_reference, self.makes.kind
        if reference is None or (holder := state.shelves[kind].holder(self.tenant_id, reference)) is None:
            return None
        return taken(kind, reference, holder.id, **{f"{holder.object_kind}_id": holder.object_id})

    def _made(self, item: BillingObject, journal: Journal) -> Adjustment:
        """Make the charge or credit, and let the object stand as it is after it."""
        now, obligation = journal.stamp.now, item.obligation
        bare = self.makes(
            tenant_id=self.tenant_id,
            id=journal.stamp.new_id(self.prefix),
            object_kind=item.kind,
            object_id=item.id,
            external_reference=self.external_reference,
            amount=certain(self.amount),
            currency=obligation.currency or certain(self.currency),
            reason=self.reason,
            total_after=obligation.total,
            metadata=self.metadata,
            occurred_at=now if self.occurred_at is UNSET else self.occurred_at,
            created_at=now,
            **self.special(),
        )
        journal.concern(bare.id, f"{bare.kind}.create")
        after = adjusted(item, bare, bare.effect, bare.occurred_at, journal)
        return journal.keep(msgspec.structs.replace(bare, total_after=after.obligation.total))


class ChargeBalance(Adjust, frozen=True, kw_only=True):
    """Raise a balance.

    Attributes:
        floor: The credit that must be left; None where any may be used up, and debt be made.
    """

    makes = Charge
    prefix = CHARGE

    floor: int | None = None

    def forbidden(self, item: BillingObject, amount: int) -> Refused | None:
        """Refuse more than the credit allows, or than a balance can hold."""
        if self.floor is not None and -item.obligation.total - amount < self.floor:
            return insufficient(item, amount, self.floor)
        return out_of_bounds(item, amount)

    def special(self) -> dict[str, Any]:
        """Give the members that only charges have."""
        return {"floor": self.floor}


class CreditBalance(Adjust, frozen=True, kw_only=True):
    """Lower a balance."""

    makes = Credit
    prefix = CREDIT

    def forbidden(self, item: BillingObject, amount: int) -> Refused | None:
        """Refuse more than a balance can hold."""
        return out_of_bounds(item, -amount)


class CreditBill(Adjust, frozen=True, kw_only=True):
    """Take off a bill what nobody has to pay any more."""

    makes = Credit
    prefix = CREDIT

    type: CreditType | UnsetType = UNSET

    def forbidden(self, item: BillingObject, amount: int) -> Refused | None:
        """Refuse a credit on a voided bill, and more than the bill takes."""
        if not isinstance(item, Bill):
            raise TypeError(item.kind)
        if item.is_voided:
            return Refused(Code.CONFLICT, "The bill is voided, so nothing is left to credit.")
        most = most_credited(item, certain(self.type))
        if amount <= most:
            return None
        takes = f"at most {most}" if most else "nothing more"
        detail = f"The bill {item.id} takes {takes} as a {certain(self.type)}: {CREDITED[certain(self.type)]}."
        return Refused(Code.CONFLICT, detail, (Fault("/amount", detail),))

    def special(self) -> dict[str, Any]:
        """Give the members that only credits on bills have."""
        return {"type": certain(self.type)}


CREDITED = {
    CreditType.CREDIT_NOTE: "credits never come to more than its amount_due",
    CreditType.DISCOUNT: "that is all that remains",
    CreditType.WRITE_OFF: "that is all that remains",
}
"""What bounds a credit of each type."""


def most_credited(bill: Bill, credit_type: CreditType) -> int:
    """Give the most that a bill takes as a credit of a type. A credit note may leave it overpaid."""
    if credit_type is not CreditType.CREDIT_NOTE:
        return bill.amount_remaining
    return min(bill.amount_due - bill.amount_credited, MAX_AMOUNT - bill.amount_paid)


def adjusted(item: Owing, adjustment: Adjustment, effect: int, occurred_at: datetime, journal: Journal) -> Owing:
    """Raise what is owed on an object by an effect, below zero lower it, and tell of it."""
    source = Source(adjustment.cause, occurred_at=occurred_at, document_id=adjustment.id)
    changes: dict[str, Any] = {
        "obligation": journal.post(item.obligation, item.id, effect, adjustment.currency, source)
    }
    if isinstance(item, Bill):
        journal.attest()  # nobody paid it: who says so is kept
        changes |= {"amount_paid": item.amount_paid - effect, "amount_credited": item.amount_credited - effect}
    after = renewed(msgspec.structs.replace(item, **changes), journal)
    settled = ["bill.paid"] if is_settled(item, after) else []
    return journal.record(after, f"{item.kind}.updated", *settled)


def currency_refusal(item: BillingObject, currency: str | UnsetType) -> Refused | None:
    """Refuse another currency than the object's, or none where the object has none either."""
    standing = item.obligation.currency
    if currency is UNSET and standing is None:
        detail = f"The {item.kind} {item.id} has no currency yet; give one, such as ZAR."
    elif currency is not UNSET and standing is not None and currency != standing:
        detail = f"The {item.kind} {item.id} is in {standing}; leave `currency` out, or send {standing}."
    else:
        return None
    return Refused(Code.CONFLICT, detail, (Fault("/currency", detail),))


def out_of_bounds(item: BillingObject, effect: int) -> Refused | None:
    """Refuse what would take a balance beyond what one can hold."""
    after = item.obligation.total + effect
    if -MAX_TOTAL <= after <= MAX_TOTAL:
        return None
    detail = f"This would make the balance of {item.id} {after}, which is beyond {MAX_TOTAL} on either side of zero."
    return Refused(Code.CONFLICT, detail, (Fault("/amount", detail),))


def insufficient(item: BillingObject, amount: int, floor: int) -> Refused:
    """Refuse a charge that the credit does not cover."""
    balance = item.obligation.total
    available = max(0, -balance - floor)
    detail = f"The {item.kind} {item.id} has {available} available above the floor of {floor}, and {amount} is charged."
    further = {"balance": balance, "floor": floor, "available": available}
    fault = Fault("/amount", f"Charge {available} or less." if available else "Nothing can be charged at present.")
    return Refused(Code.INSUFFICIENT_CREDIT, detail, (fault,), further)
