"""The payment rules: which payments an obligation takes, and why not (contract, section 5).

One pure function decides it for every caller, and explains it.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec

from owed.model.bill import MAX_AMOUNT, Bill
from owed.model.billing_object import BillingObject
from owed.model.money import MAX_TOTAL
from owed.model.payment_rules import PaymentRules


class Rule(StrEnum):
    """What a payment must keep to, in the order in which a refusal names them."""

    NOT_PAYABLE = "not_payable"
    VOIDED = "voided"
    CURRENCY = "currency"
    MIN_AMOUNT = "min_amount"
    MAX_AMOUNT = "max_amount"
    OVERPAYMENT_ALLOWED = "overpayment_allowed"
    UNDERPAYMENT_ALLOWED = "underpayment_allowed"


class Range(msgspec.Struct, frozen=True):
    """The amounts from `min` to `max`, both of them too."""

    min: int
    max: int

    def __contains__(self, amount: int) -> bool:
        return self.min <= amount <= self.max


class Payable(NamedTuple):
    """What the rules look at of an obligation. Amounts are in minor units of its currency.

    Attributes:
        rules: None where it cannot be paid.
        owed: Never below zero.
        is_tracked: Whether anybody knows what is owed.
        room: The largest amount that it can hold; it may be below zero.
    """

    rules: PaymentRules | None
    is_voided: bool
    currency: str | None
    owed: int
    is_tracked: bool
    room: int


class Explanation(msgspec.Struct, frozen=True):
    """Why a payment passes or does not.

    Attributes:
        rules: Those that refuse it, in their order; none where it passes.
        would_pass: The amounts that would pass in this currency; None where no range does.
        settles: The one amount beside that range that would pass too: just what is owed.
    """

    rules: tuple[Rule, ...]
    would_pass: Range | None = None
    settles: int | None = None

    @property
    def allowed(self) -> bool:
        """Tell whether the payment passes."""
        return not self.rules


def payable_of(item: BillingObject) -> Payable:
    """Give what the rules look at of an object."""
    obligation, is_bill = item.obligation, isinstance(item, Bill)
    return Payable(
        rules=item.payment_rules,
        is_voided=isinstance(item, Bill) and item.is_voided,
        currency=obligation.currency,
        owed=item.amount_remaining if isinstance(item, Bill) else max(0, obligation.balance or 0),
        is_tracked=is_bill or obligation.tracked,
        room=MAX_AMOUNT - item.amount_paid if isinstance(item, Bill) else MAX_TOTAL + obligation.total,
    )


def explain(payable: Payable, amount: int, currency: str) -> Explanation:
    """Decide whether an obligation takes a payment of `amount` minor units, at least 1, and say what would pass."""
    refusing = (*forbidding(payable, currency), *limiting(payable, amount))
    rules = payable.rules
    if rules is None or payable.is_voided or payable.currency != currency:
        return Explanation(refusing)
    passing = passing_range(payable, rules)
    return Explanation(refusing, passing, settling(payable, rules, passing))


def forbidding(payable: Payable, currency: str) -> Iterator[Rule]:
    """Yield the rules that refuse whatever the amount is."""
    if payable.rules is None:
        yield Rule.NOT_PAYABLE
    if payable.is_voided:
        yield Rule.VOIDED
    if payable.currency != currency:
        yield Rule.CURRENCY


def limiting(payable: Payable, amount: int) -> Iterator[Rule]:
    """Yield the rules that refuse the amount. The last cents of a debt can always be paid."""
    rules, owed = payable.rules, payable.owed
    if rules is None:
        return
    if amount < rules.min_amount and amount != owed:
        yield Rule.MIN_AMOUNT
    if amount > most(payable, rules):
        yield Rule.MAX_AMOUNT
    if payable.is_tracked and amount > owed and not rules.overpayment_allowed:
        yield Rule.OVERPAYMENT_ALLOWED
    if payable.is_tracked and amount < owed and not rules.underpayment_allowed:
        yield Rule.UNDERPAYMENT_ALLOWED


def passing_range(payable: Payable, rules: PaymentRules) -> Range | None:
    """Give the range of amounts that pass, None where none does."""
    lowest, highest = rules.min_amount, most(payable, rules)
    if payable.is_tracked and not rules.underpayment_allowed:
        lowest = max(lowest, payable.owed)
    if payable.is_tracked and not rules.overpayment_allowed:
        highest = min(highest, payable.owed)
    return Range(lowest, highest) if lowest <= highest else None


def settling(payable: Payable, rules: PaymentRules, passing: Range | None) -> int | None:
    """Give what is owed, where just that amount passes though it is outside the range."""
    owed = payable.owed
    if not 1 <= owed <= most(payable, rules) or (passing and owed in passing):
        return None
    return owed


def most(payable: Payable, rules: PaymentRules) -> int:
    """Give the greatest amount that the rules and the room of the obligation allow."""
    return min(rules.max_amount, payable.room)
