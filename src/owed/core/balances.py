"""Balances: what customers and accounts owe on themselves, and how a merchant sets it (contract, section 2)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.currencies import currency_conflict, currency_faults
from owed.core.journal import Journal
from owed.core.ledger import Source
from owed.core.members import Members
from owed.core.outcomes import Code, Fault, Refused
from owed.model.billing_object import BillingObject
from owed.model.money import MAX_TOTAL
from owed.model.obligation import Obligation
from owed.model.transfer import Cause

Noun = TypeVar("Noun", bound=BillingObject)


class BalanceMembers(Members[Noun], Generic[Noun], frozen=True, kw_only=True):
    """The members of an object that has a name and a balance.

    Attributes:
        balance_as_of: The time that the balance is of; UNSET: now.
    """

    name: str | UnsetType | None = UNSET
    currency: str | UnsetType = UNSET
    balance: int | UnsetType = UNSET
    balance_as_of: datetime | UnsetType = UNSET

    def faults(self, standing: Noun | None) -> Iterator[Fault]:
        """Yield what is wrong beyond the form, of the balance too."""
        yield from super().faults(standing)
        if self.balance_as_of is not UNSET and self.balance is UNSET and "balance" not in self.faulty:
            yield Fault("/balance_as_of", "This is the time that a balance is of: give `balance` too, or leave it out.")
        currency = standing.obligation.currency if standing else None
        yield from currency_faults(currency, self.currency)
        if self.balance is not UNSET and (currency, self.currency) == (None, UNSET) and "currency" not in self.faulty:
            yield Fault("/currency", "A balance needs a currency: give one, such as ZAR, in the same request.")

    def conflict(self, standing: Noun) -> Refused | None:
        """Refuse to change a currency that money already uses, and a balance beyond its bounds."""
        if self.balance is not UNSET and abs(self.balance) > MAX_TOTAL:
            return beyond_bounds()
        return currency_conflict(standing.obligation, self.currency) if standing.obligation.version else None

    def changed(self, standing: Noun, journal: Journal) -> Noun:
        """Give the object with the members in place; a new balance goes through the ledger."""
        if self.balance_as_of is not UNSET:
            raise ValueError("a balance of an earlier time is to be brought up to now before it is set")
        obligation = set_balance(standing.obligation, standing.id, self.currency, self.balance, journal)
        return msgspec.structs.replace(standing, **self.plain(standing), obligation=obligation)


def beyond_bounds() -> Refused:
    """Refuse a balance that was within its bounds by itself, and is not with what was recorded since."""
    detail = (
        f"With what was recorded since `balance_as_of` the balance would lie beyond {MAX_TOTAL} or below its negative."
    )
    return Refused(Code.CONFLICT, detail, (Fault("/balance", "Correct the balance, or the time that it is of."),))


def set_balance(
    obligation: Obligation,
    obligation_id: str,
    currency: str | UnsetType,
    balance: int | UnsetType,
    journal: Journal,
) -> Obligation:
    """Set what a request gives, each where it is given; a new balance is one transfer of the difference.

    The first balance that is ever set is an opening, even of zero: from then on it is tracked.
    """
    if currency is not UNSET:
        obligation = msgspec.structs.replace(obligation, currency=currency)
    if balance is UNSET or (obligation.tracked and balance == obligation.total):
        return obligation
    if obligation.currency is None:
        raise ValueError("a balance needs a currency")
    cause = Cause.BALANCE_SET if obligation.tracked else Cause.OPENING
    opened = msgspec.structs.replace(obligation, tracked=True)
    return journal.post(opened, obligation_id, balance - obligation.total, obligation.currency, Source(cause))
