"""Payment rules: which amounts an obligation takes (contract, section 5)."""

import msgspec

MAX_RULE_AMOUNT = 999_999_999_999


class PaymentRules(msgspec.Struct, frozen=True):
    """The rules of one obligation. An object without any cannot be paid.

    Amounts are in minor units; `1 <= min_amount <= max_amount <= MAX_RULE_AMOUNT`.
    """

    min_amount: int
    max_amount: int
    underpayment_allowed: bool
    overpayment_allowed: bool


DEFAULT_RULES = PaymentRules(1, 99_999_999, underpayment_allowed=True, overpayment_allowed=False)
