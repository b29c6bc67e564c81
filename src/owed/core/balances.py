"""Balances: what an obligation with a running total owes, and how a merchant sets it (contract, section 2)."""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.journal import Journal
from owed.core.outcomes import Code, Fault, Refused
from owed.model.money import ACTIVE_CURRENCIES
from owed.model.obligation import Obligation
from owed.model.transfer import Cause


def currency_faults(standing: str | None, currency: str | UnsetType, balance: int | UnsetType) -> Iterator[Fault]:
    """Yield what is wrong with a currency and a balance that a request gives.

    A code is checked against the active list when it is first given, never again while it stands.
    """
    if currency is UNSET:
        if balance is not UNSET and standing is None:
            yield Fault("/currency", "A balance needs a currency: give one, such as ZAR, in the same request.")
    elif currency != standing and currency not in ACTIVE_CURRENCIES:
        yield Fault("/currency", f"{currency} is not an active ISO 4217 code; give one that is, such as ZAR.")


def currency_conflict(obligation: Obligation, currency: str | UnsetType) -> Refused | None:
    """Refuse to change a currency that money already uses."""
    if currency is UNSET or currency == obligation.currency or obligation.version == 0:
        return None
    detail = f"The currency is {obligation.currency} and money already uses it, so it cannot become {currency}."
    return Refused(Code.CONFLICT, detail, (Fault("/currency", f"Leave it out, or send {obligation.currency}."),))


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
    if balance is UNSET or (obligation.tracked and balance == obligation.total) or obligation.currency is None:
        return obligation
    cause = Cause.BALANCE_SET if obligation.tracked else Cause.OPENING
    opened = msgspec.structs.replace(obligation, tracked=True)
    return journal.post(opened, obligation_id, balance - obligation.total, obligation.currency, cause)
