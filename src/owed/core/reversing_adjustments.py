"""Reversing adjustments: a charge or a credit that is undone, all of it (docs/api.md, "Charges and credits")."""

import msgspec

from owed.core.adjusting import adjusted, out_of_bounds
from owed.core.journal import Journal
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused, invalid, not_found
from owed.core.preconditions import IfMatch, stale
from owed.core.state import Name, State
from owed.model.adjustment import Adjustment
from owed.model.attribution import Actor
from owed.model.bill import Bill
from owed.model.billing_object import BillingObject


class ReverseAdjustment(msgspec.Struct, frozen=True, kw_only=True):
    """Undo a charge or a credit, all of it.

    Attributes:
        object_kind: Of the object that it is on.
        object_name: The object's id or external reference.
        kind: Charge or credit.
        name: Its id or external reference.
        if_match: The versions of it for which this is meant.
        faults: What is wrong with the request already, as far as its form goes.
    """

    tenant_id: int
    actor: Actor
    object_kind: str
    object_name: str
    kind: str
    name: str
    if_match: IfMatch = None
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name the object, and what was done to it."""
        return (
            Name(self.object_kind, self.tenant_id, self.object_name),
            Name(self.kind, self.tenant_id, self.name),
        )

    def claims(self) -> tuple[Name, ...]:
        """Name nothing: nothing is taken."""
        return ()

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Undo it, unless it is not there, was undone before, or the balance would be out of bounds."""
        item: BillingObject | None = state.shelves[self.object_kind].find(self.tenant_id, self.object_name)
        if item is None:
            return not_found(self.object_kind, self.object_name)
        standing: Adjustment | None = state.shelves[self.kind].find(self.tenant_id, self.name)
        if standing is None or standing.object_id != item.id:
            return not_found(self.kind, self.name)
        if refusal := stale(self.if_match, standing.version) or self._forbidden(item, standing):
            return refusal
        return Done(self._undone(item, standing, journal))

    def _forbidden(self, item: BillingObject, standing: Adjustment) -> Refused | None:
        if self.faults:
            return invalid(self.faults)
        if standing.reversed_at is not None:
            return Refused(Code.CONFLICT, f"The {self.kind} {standing.id} was reversed already.")
        return None if isinstance(item, Bill) else out_of_bounds(item, -standing.effect)

    def _undone(self, item: BillingObject, standing: Adjustment, journal: Journal) -> Adjustment:
        """Give it undone, and let the object stand as it is after that."""
        now = max(journal.stamp.now, standing.created_at)
        journal.concern(standing.id, f"{self.kind}.reverse")
        adjusted(item, standing, -standing.effect, now, journal)
        return journal.keep(msgspec.structs.replace(standing, reversed_at=now, version=standing.version + 1))
