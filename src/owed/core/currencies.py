"""Currencies: which may be given, and when one may still change (contract, sections 1.1, 2 and 4)."""

from collections.abc import Iterator

from msgspec import UNSET, UnsetType

from owed.core.outcomes import Code, Fault, Refused
from owed.model.money import ACTIVE_CURRENCIES
from owed.model.obligation import Obligation


def currency_faults(standing: str | None, currency: str | UnsetType) -> Iterator[Fault]:
    """Yield the fault of a currency that is not active, as far as it is new: one that stands is not looked at again."""
    if currency is not UNSET and currency != standing and currency not in ACTIVE_CURRENCIES:
        yield Fault("/currency", f"{currency} is not an active ISO 4217 code; give one that is, such as ZAR.")


def currency_conflict(obligation: Obligation, currency: str | UnsetType) -> Refused | None:
    """Refuse to change a currency that money already uses."""
    if currency is UNSET or currency == obligation.currency:
        return None
    detail = f"The currency is {obligation.currency} and money already uses it, so it cannot become {currency}."
    return Refused(Code.CONFLICT, detail, (Fault("/currency", f"Leave it out, or send {obligation.currency}."),))
