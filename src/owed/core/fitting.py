"""Fitting: how much of money that is here already an obligation takes, whatever its payment rules say (section 6)."""

from owed.model.bill import MAX_AMOUNT, Bill
from owed.model.billing_object import BillingObject
from owed.model.money import MAX_TOTAL


def fitting(item: BillingObject, currency: str) -> int:
    """Give the greatest amount that an object takes: a bill what remains of it, a balance all within its bounds."""
    if currency != item.obligation.currency:
        return 0
    if isinstance(item, Bill):
        return 0 if item.is_voided else min(item.amount_remaining, MAX_AMOUNT - item.amount_paid)
    return max(0, MAX_TOTAL + item.obligation.total)


def misfit(item: BillingObject, amount: int, currency: str) -> str | None:
    """Say why an object cannot take an amount, and what it would take; None where it can."""
    whose, standing = f"The {item.kind} {item.id}", item.obligation.currency
    if currency != standing:
        return f"{whose} is in {standing}, not in {currency}." if standing else f"{whose} has no currency yet."
    if isinstance(item, Bill) and item.is_voided:
        return f"{whose} is voided, so it takes no money."
    if (most := fitting(item, currency)) < max(amount, 1):
        return f"{whose} takes {most} at most, not {amount}." if most else f"{whose} takes no money any more."
    return None
