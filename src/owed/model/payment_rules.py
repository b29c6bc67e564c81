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


class BillRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rules that new bills get: as `PaymentRules`, but that a maximum need not be set."""

    min_amount: int
    max_amount: int | None = None
    underpayment_allowed: bool
    overpayment_allowed: bool

    def of_bill(self, amount_due: int) -> PaymentRules:
        """Give the rules of a bill: without a maximum, its amount is one, and no minimum is above its amount."""
        return PaymentRules(
            min(self.min_amount, amount_due),
            amount_due if self.max_amount is None else self.max_amount,
            self.underpayment_allowed,
            self.overpayment_allowed,
        )


class DefaultRules(msgspec.Struct, frozen=True):
    """The payment rules that a new object gets where the request gives none; a new merchant starts with these."""

    customer: PaymentRules = PaymentRules(1, 99_999_999, underpayment_allowed=True, overpayment_allowed=False)
    account: PaymentRules = PaymentRules(1, 99_999_999, underpayment_allowed=True, overpayment_allowed=False)
    bill: BillRules = BillRules(min_amount=1, underpayment_allowed=True, overpayment_allowed=False)
