"""What the engine needs to know of a command."""

from typing import Protocol

import msgspec

from owed.core.journal import Journal
from owed.core.outcomes import Outcome, Refused
from owed.core.state import Name, State
from owed.model.attribution import Actor


class Command(Protocol):
    """Something that a merchant asks for. It changes nothing itself: it writes in the journal what it would change."""

    @property
    def tenant_id(self) -> int: ...
    @property
    def actor(self) -> Actor: ...

    def reads(self) -> tuple[Name, ...]:
        """Name the objects that must be loaded before this can be decided."""

    def claims(self) -> tuple[Name, ...]:
        """Name the external references that this would take, if they are free."""

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Decide on what stands. A refusal leaves the journal without effect."""


class Refuse(msgspec.Struct, frozen=True):
    """A request that is refused whatever stands: it still goes the way of all, for its key may have an answer."""

    tenant_id: int
    actor: Actor
    refusal: Refused

    def reads(self) -> tuple[Name, ...]:
        """Name nothing: no state can help."""
        return ()

    def claims(self) -> tuple[Name, ...]:
        """Name nothing: nothing is taken."""
        return ()

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Refuse."""
        return self.refusal
