"""Reapplying: a balance that is of an earlier time gets on top what was recorded since (contract, section 2)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from owed.core.balances import BalanceMembers
from owed.core.journal import Journal
from owed.core.outcomes import Done, Outcome
from owed.core.state import Name, State, Unread, movement_since
from owed.core.times import future_faults
from owed.core.update import Update
from owed.model.billing_object import BillingObject
from owed.model.movement import Movement
from owed.model.transfer import Cause, Transfer

NONE = Movement()

REPLACING = frozenset({Cause.OPENING, Cause.BALANCE_SET})
"""What the merchant does to a balance: it is no movement, for the next balance replaces it too."""


class UpdateBalance(Update, frozen=True, kw_only=True):
    """Change an object that has a balance."""

    members: BalanceMembers[Any]

    def reads(self) -> tuple[Name, ...]:
        """Name the object, and its movement since the time that the balance is of."""
        (name,), as_of = super().reads(), self.members.balance_as_of
        return (name,) if as_of is UNSET else (name, movement_since(name, as_of))

    def decide(self, state: State, journal: Journal) -> Outcome:
        """Change the object. What was recorded since the time of a given balance is applied on top of it."""
        balance, as_of = self.members.balance, self.members.balance_as_of
        standing = state.shelves[self.members.kind].find(self.tenant_id, self.name)
        if as_of is UNSET or balance is UNSET or standing is None:
            return super().decide(state, journal)
        late = tuple(future_faults("/balance_as_of", as_of, journal.stamp.now))
        moved = moved_since(as_of, standing, state)
        members = msgspec.structs.replace(self.members, balance=balance + moved.amount, balance_as_of=UNSET)
        outcome = msgspec.structs.replace(self, members=members, faults=(*self.faults, *late)).decide(state, journal)
        return msgspec.structs.replace(outcome, reapplied=moved.number) if isinstance(outcome, Done) else outcome


def moved_since(as_of: datetime, standing: BillingObject, state: State) -> Movement:
    """Give what has moved a balance since a time, by the commands before this one too.

    Raises:
        Unread: What was read of it is not of the time at which its object was read.
    """
    read = state.movements.get((standing.tenant_id, standing.id, as_of), NONE)
    ours = [each for each in state.transfers if each.obligation_id == standing.id]
    if read.version + len(ours) != standing.obligation.version:
        raise Unread
    return added_up(ours, as_of, read)


def added_up(transfers: Iterable[Transfer], since: datetime, start: Movement = NONE) -> Movement:
    """Add up what the transfers of one obligation, in their order, have moved since a time."""
    kept: list[Transfer] = []
    version = start.version
    for transfer in transfers:
        version = transfer.version
        if transfer.cause == Cause.PASSED_ON:
            kept.pop()  # it takes back the one before it, and both come to nothing
        else:
            kept.append(transfer)
    moves = [each.amount for each in kept if each.recorded_at > since and each.cause not in REPLACING]
    return Movement(version, start.amount + sum(moves), start.number + len(moves))
