"""Create: an object, and whatever is inline in it, all of it or nothing (contract, sections 2 to 4)."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from owed.core.journal import Journal
from owed.core.members import Making, Members, certain
from owed.core.outcomes import Code, Done, Fault, Outcome, Refused, invalid, missing
from owed.core.state import Name, State
from owed.model.attribution import Actor
from owed.model.tenant_settings import TenantSettings


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """Create an object.

    Attributes:
        settings: The merchant's, for what the request leaves open.
        faults: What is wrong with the request already, as far as its form goes.
    """

    tenant_id: int
    actor: Actor
    members: Members[Any]
    settings: TenantSettings
    faults: tuple[Fault, ...] = ()

    def reads(self) -> tuple[Name, ...]:
        """Name the objects that the request names."""
        return tuple(Name(kind, self.tenant_id, text) for _, kind, text in named_in(self.members))

    def claims(self) -> tuple[Name, ...]:
        """Name the external references of all that would be made."""
        return tuple(
            Name(part.kind, self.tenant_id, part.external_reference)
            for _, part in parts_of(self.members)
            if part.external_reference is not UNSET
        )

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Create everything, unless its form, an absent parent or a standing reference forbids any of it."""
        if faults := (*self.faults, *self._further_faults()):
            return invalid(faults)
        if refusal := self._missing(state) or self._taken(state):
            return refusal
        made = self.members.made(Making(state, journal, self.settings))
        journal.concern(made.id, f"{made.kind}.create")
        return Done(made, created=True)

    def _further_faults(self) -> Iterator[Fault]:
        """Yield what is wrong beyond the form, at places where the form is right."""
        known = {fault.pointer for fault in self.faults}
        if "" in known:
            return  # there was no object to read
        if self.members.faulty.isdisjoint(self.members.lineage):
            yield from (fault for fault in self.members.lineage_faults() if fault.pointer not in known)
        for at, part in parts_of(self.members):
            for fault in part.faults(None):
                if at + fault.pointer not in known:
                    yield Fault(at + fault.pointer, fault.detail)

    def _missing(self, state: State) -> Refused | None:
        """Refuse for want of the objects that the request names."""
        faults = tuple(
            Fault(at, missing(kind, text))
            for at, kind, text in named_in(self.members)
            if state.shelves[kind].find(self.tenant_id, text) is None
        )
        return Refused(Code.NOT_FOUND, faults[0].detail, faults) if faults else None

    def _taken(self, state: State) -> Refused | None:
        """Refuse for the references that other objects have, all of them.

        Raises:
            Unread: Some are known, and of others nobody has looked.
        """
        taken = [
            (at, part)
            for at, part in parts_of(self.members)
            if state.shelves[part.kind].holder(self.tenant_id, certain(part.external_reference))
        ]
        if not taken:
            return None
        state.require(self.claims())
        return duplicate(taken)


class NamedParent(NamedTuple):
    """A parent that a request names: where, and how."""

    pointer: str
    kind: str
    text: str


def parts_of(members: Members[Any], at: str = "") -> Iterator[tuple[str, Members[Any]]]:
    """Yield the objects that are to be made, each after those that it belongs to, with their places."""
    for name, parent in members.parents().items():
        if isinstance(parent, Members):
            yield from parts_of(parent, f"{at}/{name}")
    yield at, members


def named_in(members: Members[Any]) -> Iterator[NamedParent]:
    """Yield the parents that a request names, of the object itself and of those inline in it."""
    for at, part in parts_of(members):
        for name, parent in part.parents().items():
            if isinstance(parent, str):
                yield NamedParent(f"{at}/{name}", name, parent)


def duplicate(taken: list[tuple[str, Members[Any]]]) -> Refused:
    """Refuse references that other objects have.

    Args:
        taken: The members that give them, with their places.
    """
    part = taken[0][1]
    detail = f"The external reference {part.external_reference!r} belongs to another {part.kind} already."
    faults = tuple(
        Fault(f"{at}/external_reference", f"Choose another, or use the {part.kind} that has it.") for at, part in taken
    )
    return Refused(Code.CONFLICT, detail, faults)
