"""Update: change the given members of an object (contract, sections 1.1 and 2 to 4)."""

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from owed.core.journal import Journal
from owed.core.members import Members
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused, invalid, not_found
from owed.core.preconditions import IfMatch, stale
from owed.core.state import Name, State
from owed.model.attribution import Actor
from owed.model.billing_object import BillingObject
from owed.model.tenant_settings import SettingsRecord

FIXED = ("id", "external_reference", "customer_id", "account_id", "amount_due", "bill_date")
"""Members that never change. A client may send them as it got them."""

DERIVED = ("status", "amount_remaining")
"""Members that follow from others. A client may send them as they stand."""


Versioned = TypeVar("Versioned", BillingObject, SettingsRecord)


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """Change an object.

    Attributes:
        name: The object's id or external reference.
        if_match: The versions for which the change is meant.
        faults: What is wrong with the request already, as far as its form goes.
    """

    tenant_id: int
    actor: Actor
    name: str
    members: Members[Any]
    if_match: IfMatch = None
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name the object."""
        return (Name(self.members.kind, self.tenant_id, self.name),)

    def claims(self) -> tuple[Name, ...]:
        """Name nothing: an external reference never changes."""
        return ()

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Change the object; where nothing would change, write nothing."""
        standing = state.shelves[self.members.kind].find(self.tenant_id, self.name)
        if standing is None:
            return not_found(self.members.kind, self.name)
        return stale(self.if_match, standing.version) or self._refusal(standing) or self._done(standing, journal)

    def _refusal(self, standing: BillingObject) -> Refused | None:
        if faults := (*self.faults, *fixed_faults(self.members, standing), *self.members.faults(standing)):
            return invalid(faults)
        return self.members.conflict(standing) or derived_conflict(self.members, standing)

    def _done(self, standing: BillingObject, journal: Journal) -> Done:
        journal.concern(standing.id, f"{standing.kind}.{self.members.verb}")
        changed = self.members.changed(standing, journal)
        if changed == standing:
            return Done(standing)
        return Done(journal.record(renewed(changed, journal), *self.members.news(standing, changed)))


def renewed(changed: Versioned, journal: Journal) -> Versioned:
    """Give a changed object as a new version of itself."""
    updated_at = max(journal.stamp.now, changed.updated_at)
    return msgspec.structs.replace(changed, version=changed.version + 1, updated_at=updated_at)


def fixed_faults(members: Members[Any], standing: BillingObject) -> Iterator[Fault]:
    """Yield a fault for each member that never changes, where a client sends another value than it got."""
    for name, stands in differing(FIXED, members, standing):
        right = "leave it out" if stands is None else f"leave it out, or send {stands!r}"
        yield Fault(f"/{name}", f"This never changes; {right}.")


def derived_conflict(members: Members[Any], standing: BillingObject) -> Refused | None:
    """Refuse a value for a member that follows from others, where it is not the one that stands."""
    faults = tuple(
        Fault(f"/{name}", f"This follows from the amounts; leave it out, or send {stands!r}.")
        for name, stands in differing(DERIVED, members, standing)
    )
    if not faults:
        return None
    names = " and ".join(fault.pointer[1:] for fault in faults)
    return Refused(Code.CONFLICT, f"What is sent as {names} is not what stands.", faults)


def differing(names: tuple[str, ...], members: Members[Any], standing: BillingObject) -> Iterator[tuple[str, Any]]:
    """Yield the name and the standing value of each member that is given with another value, or of another type."""
    stands = msgspec.to_builtins(standing.members())
    for name in names:
        given = getattr(members, name, UNSET)
        if given is not UNSET and (type(given) is not type(stands[name]) or given != stands[name]):
            yield name, stands[name]
