"""Erasing: a person is taken out of a customer and its accounts; what they owe and paid stays (docs/privacy.md)."""

from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from owed.core.journal import Journal
from owed.core.outcomes import Done, Fault, Outcome, invalid, not_found
from owed.core.preconditions import IfMatch, stale
from owed.core.state import Name, State
from owed.core.update import renewed
from owed.model.account import Account
from owed.model.attribution import Actor
from owed.model.billing_object import BillingObject
from owed.model.customer import Customer
from owed.model.erasure import Erasure

Erasable = TypeVar("Erasable", Customer, Account)

PSEUDONYM: Final = "erased_"
"""How the references begin that stand in the place of others. The rest is random: nothing leads back from it."""

CLEARED: Final[dict[str, dict[str, Any]]] = {
    Customer.kind: {"name": None, "email": None, "phone": None, "metadata": {}},
    Account.kind: {"name": None, "metadata": {}},
}
"""What is taken away of each kind of object, beside its reference."""


class Erase(msgspec.Struct, frozen=True, kw_only=True):
    """Erase a person from some objects: a customer and its accounts, or, where these are many, some of them.

    Attributes:
        subject: The customer that it is about.
        objects: What is erased; the first of them is what is shown.
        if_match: The versions of the first for which it is meant.
        faults: What is wrong with the request already, as far as its form goes.
    """

    tenant_id: int
    actor: Actor
    subject: str
    objects: tuple[Name, ...]
    if_match: IfMatch = None
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name the objects, and the erasures that there may have been of them."""
        return (*self.objects, *(Name(Erasure.kind, self.tenant_id, name.text) for name in self.objects))

    def claims(self) -> tuple[Name, ...]:
        """Name nothing: nobody can have a pseudonym before it is drawn."""
        return ()

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Erase what is there; where nothing is left to erase, write nothing."""
        found = [state.shelves[name.kind].find(self.tenant_id, name.text) for name in self.objects]
        name, first = self.objects[0], found[0]
        if first is None:
            return not_found(name.kind, name.text)
        if refusal := stale(self.if_match, first.version) or (invalid(self.faults) if self.faults else None):
            return refusal
        journal.concern(self.subject, f"{Customer.kind}.erase")
        shown, *_ = [erased(item, state, journal) for item in found if item is not None]
        return Done(shown)


def erased(item: Erasable, state: State, journal: Journal) -> Erasable:
    """Give an object with the person taken out, and tell of it."""
    before = state.erasures.find(item.tenant_id, item.id)
    reference = item.external_reference if before else journal.stamp.new_id(PSEUDONYM)
    after = msgspec.structs.replace(item, external_reference=reference, **CLEARED[item.kind])
    if after == item:
        return item
    journal.attest()
    journal.keep(erasure_of(item, before, journal.stamp.now))
    return journal.record(renewed(after, journal), f"{item.kind}.updated")


def erasure_of(item: BillingObject, before: Erasure | None, now: datetime) -> Erasure:
    """Make the erasure of an object as it stands, which takes the place of one before."""
    return Erasure(
        tenant_id=item.tenant_id,
        id=item.id,
        reference=before.reference if before else item.external_reference,
        up_to=item.event_sequence,
        erased_at=now,
        version=before.version + 1 if before else 1,
    )
