"""Update: change the given members of an object (contract, sections 1.1 and 2 to 4)."""

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from owed.core.change import Change
from owed.core.journal import Journal
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused, invalid
from owed.core.preconditions import IfMatch, stale
from owed.core.state import Name, State
from owed.model.attribution import Actor
from owed.model.billing_object import BillingObject
from owed.model.payment import Payment
from owed.model.tenant_settings import SettingsRecord
from owed.model.webhook_endpoint import WebhookEndpoint

Standing = BillingObject | SettingsRecord | WebhookEndpoint
Renewable = TypeVar("Renewable", bound=BillingObject | SettingsRecord | Payment | WebhookEndpoint)


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
    members: Change[Any]
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
            return self.members.absent(self.name)
        return stale(self.if_match, standing.version) or self._refusal(standing) or self._done(standing, journal)

    def _refusal(self, standing: Standing) -> Refused | None:
        members = self.members
        if faults := (*self.faults, *fixed_faults(members, standing), *members.faults(standing)):
            return invalid(faults)
        return members.conflict(standing) or derived_conflict(members, standing)

    def _done(self, standing: Standing, journal: Journal) -> Done:
        journal.concern(standing.id, f"{standing.kind}.{self.members.verb}")
        changed = self.members.changed(standing, journal)
        if changed == standing:
            return Done(standing)
        return Done(self.members.recorded(standing, renewed(changed, journal), journal))


def renewed(changed: Renewable, journal: Journal) -> Renewable:
    """Give a changed object as a new version of itself."""
    updated_at = max(journal.stamp.now, changed.updated_at)
    return msgspec.structs.replace(changed, version=changed.version + 1, updated_at=updated_at)


def fixed_faults(members: Change[Any], standing: Standing) -> Iterator[Fault]:
    """Yield a fault for each member that never changes, where a client sends another value than it got."""
    for name, stands in differing(members.fixed, members.sent_back, standing):
        right = "leave it out" if stands is None else f"leave it out, or send {stands!r}"
        yield Fault(f"/{name}", f"This never changes; {right}.")


def derived_conflict(members: Change[Any], standing: Standing) -> Refused | None:
    """Refuse a value for a member that follows from others, where it is not the one that stands."""
    faults = tuple(
        Fault(f"/{name}", f"This follows from what else stands; leave it out, or send {stands!r}.")
        for name, stands in differing(members.derived, members.sent_back, standing)
    )
    if not faults:
        return None
    names = " and ".join(fault.pointer[1:] for fault in faults)
    return Refused(Code.CONFLICT, f"What is sent as {names} is not what stands.", faults)


def differing(names: tuple[str, ...], sent_back: dict[str, object], standing: Standing) -> Iterator[tuple[str, Any]]:
    """Yield the name and the standing value of each member that is sent back with another value, or of another type."""
    given = [name for name in names if name in sent_back]
    stands = msgspec.to_builtins(standing.members()) if given else {}
    for name in given:
        if type(sent_back[name]) is not type(stands[name]) or sent_back[name] != stands[name]:
            yield name, stands[name]
