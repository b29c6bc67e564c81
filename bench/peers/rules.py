"""The payment rules, as the peers decide and explain them (contract, section 5)."""

from typing import Any, NamedTuple

MAX_BILL, MAX_BALANCE = 99_999_999, 2**53 - 1


class Payable(NamedTuple):
    """What the rules look at of a customer, an account or a bill."""

    rules: dict[str, Any]
    voided: bool
    currency: str | None
    owed: int
    tracked: bool
    room: int


class Explained(NamedTuple):
    """The rules that refuse a payment, none where it passes, and what would pass."""

    rules: list[str]
    would_pass: dict[str, int] | None
    settles: int | None

    @property
    def members(self) -> dict[str, Any]:
        """Return what an answer shows beside the rules."""
        shown = {"would_pass": self.would_pass, "settles": self.settles}
        return {name: value for name, value in shown.items() if value is not None}


def explain(payable: Payable, amount: int, currency: str) -> Explained:
    """Decide whether an amount in a currency may be paid."""
    rules, voided, own_currency, owed, tracked, room = payable
    most = min(rules["max_amount"], room)
    under, over = (not tracked or rules[f"{name}payment_allowed"] for name in ("under", "over"))
    holds = {
        "voided": not voided,
        "currency": currency == own_currency,
        "min_amount": amount >= rules["min_amount"] or amount == owed,
        "max_amount": amount <= most,
        "overpayment_allowed": amount <= owed or over,
        "underpayment_allowed": amount >= owed or under,
    }
    refusing = [name for name, held in holds.items() if not held]
    if voided or currency != own_currency:
        return Explained(refusing, None, None)
    low = rules["min_amount"] if under else max(rules["min_amount"], owed)
    high = most if over else min(most, owed)
    settles = owed if 1 <= owed <= most and not low <= owed <= high else None
    return Explained(refusing, {"min": low, "max": high} if low <= high else None, settles)
