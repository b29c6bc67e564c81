"""Histories: objects as a reader of their events alone would know them, and what their ledger must then have.

This is a model of its own: it takes nothing from the core, so that both would have to be wrong in the same way.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from owed.model.event import Event
from owed.model.transfer import Cause, Transfer

Json = dict[str, Any]

ADJUSTING = {Cause.CHARGE, Cause.CREDIT, Cause.CREDIT_NOTE, Cause.DISCOUNT, Cause.WRITE_OFF}
"""The causes of charges and credits. Their events show the object, and not what they are of."""

MOST_PAID = 99_999_999
MOST_OWED = 2**53 - 1


class Entry(NamedTuple):
    """A transfer, as far as it follows from what was told."""

    cause: Cause
    amount: int
    currency: str
    payment_id: str | None = None
    taken_back_id: str | None = None
    document_id: str | None = None

    @classmethod
    def of(cls, transfer: Transfer) -> "Entry":
        """Give what of a transfer must follow from the events."""
        of = transfer.payment_id, transfer.taken_back_id, transfer.document_id
        return cls(transfer.cause, transfer.amount, transfer.currency, *of)


class History:
    """One object, from the first of its events to the last.

    Attributes:
        shown: The object as the API must show it.
        total: What must be owed on it: that runs even where no balance is tracked.
        received: What payments must hold of it.
        credited: What must have been taken off it.
        is_settled_untold: Whether `bill.paid` must come next.
        faults: What was told and cannot be.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.shown: Json = {}
        self.total = 0
        self.received = 0
        self.credited = 0
        self.version = 0
        self.sequence = 0
        self.is_settled_untold = False
        self.faults: list[str] = []

    def hear(self, event: Event, posted: Entry | None) -> list[Entry]:
        """Take in an event, and give the transfers that it must stand for.

        Args:
            posted: The transfer that follows those of the events before, if there is one.
        """
        told = msgspec.json.decode(event.body)
        if (told["id"], told["type"], event.sequence) != (event.id, event.type, self.sequence + 1):
            self.faults.append(f"event {event.sequence} ({event.type}) is told as {told} after event {self.sequence}")
        self.sequence = event.sequence
        if (event.type == "bill.paid") != self.is_settled_untold:
            self.faults.append(f"{event.type} is told when it is {self.shown}")
        before, self.is_settled_untold = self.shown, False
        if event.type == "bill.paid":
            self.faults += differences(self.shown, told["data"])
            return []
        self.version += 1
        entries = list(self._entries(event.type, told["data"], posted))
        self.total += sum(entry.amount for entry in entries)
        self.is_settled_untold = (before.get("status"), self.shown.get("status")) == ("unpaid", "paid")
        return entries

    def _entries(self, event_type: str, data: Json, posted: Entry | None) -> Iterator[Entry]:
        before = self.shown
        if event_type == "obligation.amount_applied":
            yield from self._applied(data)
        elif event_type == "obligation.amount_reversed":
            yield from self._reversed(data)
        elif posted and self._is_adjusted(posted, data):
            self.shown = data
            self.credited -= posted.amount
            yield posted
        else:
            self.shown = data
            self.faults += differences(with_amounts(data), data)
            change = self._bill_changed if self.kind == "bill" else self._balance_changed
            yield from change(before, data)

    def _is_adjusted(self, posted: Entry, after: Json) -> bool:
        """Tell whether a transfer of a charge or a credit makes of the object what is shown after it."""
        shown = self.shown
        if posted.cause not in ADJUSTING or not shown:
            return False
        moved: Json = {"currency": posted.currency}
        if self.kind == "bill":
            return after == with_amounts({**shown, **moved, "amount_paid": shown["amount_paid"] - posted.amount})
        if "balance" in shown:
            moved["balance"] = shown["balance"] + posted.amount
        return after == {**shown, **moved}

    def _balance_changed(self, before: Json, after: Json) -> Iterator[Entry]:
        if "balance" in after and after["balance"] != before.get("balance"):
            cause = Cause.BALANCE_SET if "balance" in before else Cause.OPENING
            yield Entry(cause, after["balance"] - self.total, after["currency"])

    def _bill_changed(self, before: Json, after: Json) -> Iterator[Entry]:
        due, currency = after["amount_due"], after["currency"]
        if not before:
            yield Entry(Cause.BILL_RAISED, due, currency)
        elif after["status"] == "voided":
            yield Entry(Cause.VOID, -due, currency)
        else:
            if before["currency"] != currency:
                yield Entry(Cause.CURRENCY_CHANGED, -due, before["currency"])
                yield Entry(Cause.CURRENCY_CHANGED, due, currency)
            if after["amount_paid"] < self.received + self.credited:
                held = f"payments hold {self.received}, and credits are {self.credited}"
                self.faults.append(f"is corrected to {after['amount_paid']}, and {held}")
            if before["amount_paid"] != after["amount_paid"]:
                yield Entry(Cause.CORRECTION, before["amount_paid"] - after["amount_paid"], currency)

    def _applied(self, data: Json) -> Iterator[Entry]:
        if refusing := list(refusals(self.shown, self.total, data["amount"], data["currency"])):
            self.faults.append(f"took {data}, which {refusing} forbid, when it was {self.shown}")
        yield Entry(Cause.PAYMENT, -data["amount"], data["currency"], data["payment_id"])
        self._receive(data["amount"])

    def _reversed(self, data: Json) -> Iterator[Entry]:
        cause, which = (Cause.REFUND, "refund_id") if "refund_id" in data else (Cause.REVERSAL, "reversal_id")
        yield Entry(cause, data["amount"], data["currency"], data["payment_id"], data[which])
        self._receive(-data["amount"])

    def _receive(self, amount: int) -> None:
        self.received += amount
        if self.received < 0:
            self.faults.append(f"gave back {-self.received} more than it had received")
        if self.kind == "bill":
            self.shown = with_amounts({**self.shown, "amount_paid": self.shown["amount_paid"] + amount})
        elif "balance" in self.shown:
            self.shown = {**self.shown, "balance": self.shown["balance"] - amount}


def refusals(shown: Json, total: int, amount: int, currency: str) -> Iterator[str]:
    """Yield the payment rules that forbid a payment, in the words of the contract (section 5).

    Args:
        shown: What is to be paid, as the API shows it.
        total: What is owed on it, below zero for a credit.
    """
    rules = shown.get("payment_rules")
    if rules is None:
        yield "not_payable"
        return
    is_bill = "amount_due" in shown
    is_tracked = is_bill or "balance" in shown
    owed = shown["amount_remaining"] if is_bill else max(0, shown.get("balance", 0))
    room = MOST_PAID - shown["amount_paid"] if is_bill else MOST_OWED + total
    if shown.get("status") == "voided":
        yield "voided"
    if currency != shown.get("currency"):
        yield "currency"
    if amount < rules["min_amount"] and amount != owed:
        yield "min_amount"
    if amount > rules["max_amount"] or amount > room:
        yield "max_amount"
    if is_tracked and amount > owed and not rules["overpayment_allowed"]:
        yield "overpayment_allowed"
    if is_tracked and amount < owed and not rules["underpayment_allowed"]:
        yield "underpayment_allowed"


def with_amounts(shown: Json) -> Json:
    """Give what is shown of an object, for a bill with what must follow from its amounts."""
    if "amount_due" not in shown:
        return shown
    remaining = max(0, shown["amount_due"] - shown["amount_paid"])
    status = shown["status"] if shown["status"] == "voided" else "unpaid" if remaining else "paid"
    return {**shown, "status": status, "amount_remaining": remaining}


def differences(expected: Json, actual: Json) -> list[str]:
    """Say in which members an object is not what it must be."""
    return [
        f"{name} is {actual.get(name)!r}, and must be {expected.get(name)!r}"
        for name in sorted(expected.keys() | actual.keys())
        if expected.get(name) != actual.get(name)
    ]
