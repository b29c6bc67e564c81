"""What holds of every object, whatever has happened. Each function yields what is wrong: nothing means all is well.

What an object owes must follow from the events that told of it: they say when a bill was raised, corrected or voided,
and the ledger must have one transfer for each, no more and no less. So neither is believed for its own sake.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import msgspec

from owed.core.ledger import seal
from owed.model.account import Account
from owed.model.adjustment import Adjustment
from owed.model.bill import Bill
from owed.model.billing_object import BillingObject
from owed.model.customer import Customer
from owed.model.event import Event
from owed.model.identifiers import PAYMENT
from owed.model.obligation import Obligation
from owed.model.payment import Payment
from owed.model.payment_document import PaymentDocument
from owed.model.transfer import Cause, LedgerAccount, Transfer

Json = dict[str, Any]
Item = TypeVar("Item")
Money = Payment | PaymentDocument

MOVED_AWAY = "moved away by"
"""Of what an event told: the move that took money off the object, and did not bring it."""

ADJUSTING = {Cause.CHARGE, Cause.CREDIT, Cause.CREDIT_NOTE, Cause.DISCOUNT, Cause.WRITE_OFF}
"""The causes of charges and credits. Their events show the object, and not what they are of."""

CONSTANT = {
    Customer.kind: ("id", "external_reference"),
    Account.kind: ("id", "external_reference", "customer_id"),
    Bill.kind: ("id", "external_reference", "customer_id", "account_id", "amount_due", "bill_date"),
}
"""The members of each kind that never change, but for the reference of what is erased, which changes once."""


class Change(NamedTuple):
    """One change of an object, as its events told of it: what was shown before, if it was there, and after.

    Attributes:
        total: What was owed before, whether it was tracked or not.
        moved: What an event told of money that came in or was taken back.
        adjusted: The transfer of a charge or a credit, where that explains it.
        is_passed_on: Whether what was moved was taken back at once, so that a balance stays.
    """

    kind: str
    before: Json | None
    after: Json
    total: int = 0
    moved: Json | None = None
    adjusted: Transfer | None = None
    is_passed_on: bool = False

    @property
    def settles(self) -> bool:
        return self.before is not None and (self.before.get("status"), self.after.get("status")) == ("unpaid", "paid")

    def events(self) -> tuple[str, ...]:
        """Give the types of the events that tell of it."""
        if self.moved is not None:
            told = "amount_reversed" if taken_back_by(self.moved) else "amount_applied"
            return (f"obligation.{told}", *(["bill.paid"] if self.settles else []))
        if self.before is None:
            return (f"{self.kind}.created",)
        if self.after.get("status") == "voided":
            return ("bill.voided",)
        return ("bill.updated", "bill.paid") if self.settles else (f"{self.kind}.updated",)

    def transfers(self) -> Iterator[tuple[Cause, int, str]]:
        """Yield cause, amount and currency of the transfers that it takes."""
        if self.moved is not None:
            yield cause_of(self.moved), raised_by(self.moved), self.moved["currency"]
            if self.is_passed_on:
                yield Cause.PASSED_ON, -raised_by(self.moved), self.moved["currency"]
        elif self.adjusted is not None:
            yield self.adjusted.cause, self.adjusted.amount, self.adjusted.currency
        elif self.kind == Bill.kind:
            yield from self._transfers_of_bill()
        elif "balance" in self.after and "balance" not in (self.before or {}):
            yield Cause.OPENING, self.after["balance"] - self.total, self.after["currency"]
        elif self.before and self.before.get("balance") != self.after.get("balance"):
            yield Cause.BALANCE_SET, self.after["balance"] - self.total, self.after["currency"]

    def _transfers_of_bill(self) -> Iterator[tuple[Cause, int, str]]:
        before, after, due, currency = self.before, self.after, self.after["amount_due"], self.after["currency"]
        if before is None:
            yield Cause.BILL_RAISED, due, currency
        elif after["status"] == "voided":
            yield Cause.VOID, -due, currency
        else:
            if before["currency"] != currency:
                yield Cause.CURRENCY_CHANGED, -due, before["currency"]
                yield Cause.CURRENCY_CHANGED, due, currency
            if before["amount_paid"] != after["amount_paid"]:
                yield Cause.CORRECTION, before["amount_paid"] - after["amount_paid"], currency


def faults(objects: Iterable[BillingObject], transfers: Iterable[Transfer], events: Iterable[Event]) -> Iterator[str]:
    """Yield all that is wrong with some objects, and with all that is kept of them."""
    standing = {(item.tenant_id, item.id): item for item in objects}
    owing = (transfer for transfer in transfers if not transfer.obligation_id.startswith(PAYMENT))
    transfers_of = grouped(owing, lambda transfer: (transfer.tenant_id, transfer.obligation_id))
    events_of = grouped(events, lambda event: (event.tenant_id, event.object_id))
    if strangers := (transfers_of.keys() | events_of.keys()) - standing.keys():
        yield f"transfers or events of what is not there: {strangers}"
    for key, item in standing.items():
        for fault in faults_of(item, transfers_of.get(key, []), events_of.get(key, []), standing):
            yield f"{item.kind} {item.external_reference} ({key}): {fault}"


def faults_of(
    item: BillingObject,
    transfers: list[Transfer],
    events: list[Event],
    standing: dict[tuple[int, str], BillingObject],
) -> Iterator[str]:
    """Yield what is wrong with one object."""
    yield from faults_of_parents(item, standing)
    yield from faults_of_chain(item.obligation, transfers)
    yield from faults_of_history(item, events, transfers)
    expected = [each for change in changes(item.kind, events, transfers) for each in change.transfers()]
    if expected != [(transfer.cause, transfer.amount, transfer.currency) for transfer in transfers]:
        yield f"its events told of {expected}, its transfers are {transfers}"
    if isinstance(item, Bill):
        yield from faults_of_amounts(item)


def faults_of_parents(item: BillingObject, standing: dict[tuple[int, str], BillingObject]) -> Iterator[str]:
    """What an object belongs to is there, in its tenant; a bill on an account has the customer of that account."""
    customer_id, account_id = getattr(item, "customer_id", None), getattr(item, "account_id", None)
    if customer_id and not isinstance(standing.get((item.tenant_id, customer_id)), Customer):
        yield f"its customer {customer_id} is not there"
    if account_id:
        account = standing.get((item.tenant_id, account_id))
        if not isinstance(account, Account) or account.customer_id != customer_id:
            yield f"its account {account_id} is not there, or not of customer {customer_id}"


def faults_of_chain(obligation: Obligation, transfers: list[Transfer]) -> Iterator[str]:
    """The transfers are numbered without gaps, follow each other in time, chain, and sum to what stands."""
    total, previous, recorded_at = 0, b"", None
    for number, transfer in enumerate(transfers, start=1):
        total += transfer.amount
        if (transfer.version, transfer.total_after) != (number, total):
            yield f"transfer {number} of sum {total} is {transfer}"
        if transfer.hash != seal(transfer, previous):
            yield f"transfer {number} breaks the chain"
        if (transfer.debit if transfer.amount >= 0 else transfer.credit) != side_of(transfer.obligation_id):
            yield f"transfer {number} stands on the wrong side: {transfer}"
        if recorded_at is not None and transfer.recorded_at <= recorded_at:
            yield f"transfer {number} is not recorded after its predecessor"
        previous, recorded_at = transfer.hash, transfer.recorded_at
    stands = (obligation.total, obligation.version, obligation.hash, obligation.recorded_at)
    if stands != (total, len(transfers), previous, recorded_at):
        yield f"stands at {stands}, its transfers at {(total, len(transfers), previous, recorded_at)}"
    yield from faults_of_sums(obligation, transfers)


def side_of(obligation_id: str) -> LedgerAccount:
    """Give the account of the ledger that an obligation is part of."""
    return LedgerAccount.UNALLOCATED if obligation_id.startswith(PAYMENT) else LedgerAccount.RECEIVABLE


def faults_of_sums(obligation: Obligation, transfers: list[Transfer]) -> Iterator[str]:
    """The total is owed in the currency that stands, and nothing in any other."""
    sums: Counter[str | None] = Counter()
    for transfer in transfers:
        sums[transfer.currency] += transfer.amount
    if {currency: total for currency, total in sums.items() if total} != (
        {obligation.currency: obligation.total} if obligation.total else {}
    ):
        yield f"owes {obligation.total} {obligation.currency}, its transfers sum to {dict(sums)}"


def faults_of_history(item: BillingObject, events: list[Event], transfers: list[Transfer]) -> Iterator[str]:
    """The events are numbered without gaps, tell each change once, and end with what stands."""
    if [event.sequence for event in events] != list(range(1, item.event_sequence + 1)):
        yield f"has events {[event.sequence for event in events]}, and counts {item.event_sequence}"
    told = changes(item.kind, events, transfers)
    if len(told) != item.version:
        yield f"is at version {item.version}, its events tell of {len(told)} changes"
    if [event.type for event in events] != [kind for change in told for kind in change.events()]:
        yield f"has the history {[event.type for event in events]} of {told}"
    if not told or told[-1].after != msgspec.to_builtins(item.shown()):
        yield f"its last event tells {told[-1:]}, but it is {item.shown()}"
    if [told_as(event) for event in events] != [(event.id, event.type) for event in events]:
        yield f"its events are told as {[told_as(event) for event in events]}"
    lives = (told[: erased_at(told)], told[erased_at(told) :])
    for life in lives:
        if len({tuple(change.after.get(name) for name in CONSTANT[item.kind]) for change in life}) > 1:
            yield f"what never changes has changed: {life}"


def erased_at(told: list[Change]) -> int:
    """Give the place of the change from which on an object goes by a pseudonym; the end, where there is none."""
    references = [str(change.after.get("external_reference")) for change in told]
    return next((place for place, each in enumerate(references) if each.startswith("erased_")), len(told))


def faults_of_amounts(bill: Bill) -> Iterator[str]:
    """The members that are amounts agree, and so does what the ledger has."""
    shown = bill.shown()
    due, paid, status = shown["amount_due"], shown["amount_paid"], shown["status"]
    if shown["amount_remaining"] != max(0, due - paid):
        yield f"{due} is due and {paid} is paid, but {shown['amount_remaining']} remains"
    if status == "voided" and (paid or bill.obligation.total):
        yield f"is voided, but {paid} is paid, and {bill.obligation.total} owed"
    if status != "voided" and (status, bill.obligation.total) != ("unpaid" if due > paid else "paid", due - paid):
        yield f"is {status} and owes {bill.obligation.total}, with {paid} of {due} paid"


def faults_of_money(items: Iterable[Money], transfers: Iterable[Transfer]) -> Iterator[str]:
    """A payment holds on each obligation what its transfers say, and what was taken back of it is on record whole."""
    taken_back = grouped((item for item in items if not isinstance(item, Payment)), lambda item: item.payment_id)
    moved = grouped((each for each in transfers if each.payment_id), lambda each: each.payment_id)
    payments = [item for item in items if isinstance(item, Payment)]
    if strangers := (taken_back.keys() | moved.keys()) - {payment.id for payment in payments}:
        yield f"money of payments that are not there: {strangers}"
    for payment in payments:
        yield from faults_of_one_payment(payment, taken_back.get(payment.id, []), moved.get(payment.id, []))


def faults_of_one_payment(payment: Payment, taken_back: list[Any], transfers: list[Transfer]) -> Iterator[str]:
    """Yield what is wrong with one payment."""
    held: Counter[str] = Counter()
    for transfer in transfers:
        if transfer.cause is not Cause.PASSED_ON:  # that left the obligation, and not the payment
            held[transfer.obligation_id] -= transfer.amount
    expected = Counter({payment.id: payment.amount_unallocated})
    for each in payment.applications:
        expected[each.object_id] += each.held
    if held != expected or min(expected.values()) < 0:
        yield f"{payment} holds {held}"
    for kind, amount in (("refund", payment.amount_refunded), ("reversal", payment.amount_reversed)):
        if amount != sum(each.amount for each in taken_back if each.kind == kind):
            yield f"{payment} was taken back by {taken_back}"
    if sum(expected.values()) + payment.amount_refunded + payment.amount_reversed != payment.amount:
        yield f"the parts of {payment} do not add up"
    yield from faults_of_chain(payment.unallocated, [each for each in transfers if each.obligation_id == payment.id])
    yield from faults_of_reallocations(payment, taken_back, transfers)


def faults_of_reallocations(payment: Payment, documents: list[Any], transfers: list[Transfer]) -> Iterator[str]:
    """Each allocation and each move takes its amount from the one, and gives it to the other."""
    between = (each for each in transfers if each.document_id and each.cause is not Cause.PASSED_ON)
    reallocated = grouped(between, lambda each: each.document_id)
    for document in (item for item in documents if item.kind in {"allocation", "move"}):
        amounts = [each.amount for each in reallocated.pop(document.id, [])]
        if sum(amounts) or max(amounts, default=0) != document.amount:
            yield f"{document} has transfers of {amounts}"
    if reallocated:
        yield f"{payment} has transfers of what is not there: {reallocated}"


def faults_of_adjustments(
    objects: Iterable[BillingObject], items: Iterable[Adjustment], transfers: Iterable[Transfer]
) -> Iterator[str]:
    """Each charge and credit has its transfer, and where it was undone one more; a floor was kept to by each."""
    items = list(items)
    moved = grouped((each for each in transfers if each.cause in ADJUSTING), lambda each: each.document_id)
    if strangers := moved.keys() - {item.id for item in items}:
        yield f"transfers of charges and credits that are not there: {strangers}"
    for item in items:
        expected = [item.effect, -item.effect] if item.reversed_at else [item.effect]
        posted = moved.get(item.id, [])
        if [(item.object_id, amount) for amount in expected] != [(each.obligation_id, each.amount) for each in posted]:
            yield f"{item} has the transfers {posted}"
        floor = getattr(item, "floor", None)
        if floor is not None and -item.total_after < floor:
            yield f"{item} went below its floor"
    standing = grouped((item for item in items if not item.reversed_at), lambda item: item.object_id)
    for bill in (item for item in objects if isinstance(item, Bill)):
        if bill.amount_credited != sum(each.amount for each in standing.get(bill.id, [])):
            yield f"{bill} was credited by {standing.get(bill.id)}"


def changes(kind: str, events: Iterable[Event], transfers: Iterable[Transfer] = ()) -> list[Change]:
    """List the changes that the events of an object tell of; `bill.paid` tells of one that was told just before.

    Args:
        transfers: Those of the object: charges and credits are told as the object after them.
    """
    told: list[Change] = []
    posted = list(transfers)
    total = place = 0
    for event in events:
        data = shown_by(event)
        before = told[-1].after if told else None
        if event.type == "bill.paid" and data == before:
            continue
        if event.type == "obligation.amount_reversed" and "move_id" in data:
            data = data | {MOVED_AWAY: data["move_id"]}
        if before is not None and event.type.startswith("obligation."):
            is_passed_on = [each.cause for each in posted[place + 1 : place + 2]] == [Cause.PASSED_ON]
            after = after_moving(before, 0 if is_passed_on else raised_by(data))
            told.append(Change(kind, before, after, total, data, is_passed_on=is_passed_on))
        else:
            ahead = posted[place] if place < len(posted) else None
            told.append(Change(kind, before, data, total, adjusted=ahead if explains(ahead, before, data) else None))
        moves = list(told[-1].transfers())
        total, place = total + sum(amount for _, amount, _ in moves), place + len(moves)
    return told


def explains(transfer: Transfer | None, before: Json | None, after: Json) -> bool:
    """Tell whether a transfer is of a charge or a credit that makes of an object what is shown after it."""
    if transfer is None or before is None or transfer.cause not in ADJUSTING:
        return False
    return after == after_moving(before, transfer.amount) | {"currency": transfer.currency}


def after_moving(shown: Json, raised: int) -> Json:
    """Give an object as it is shown once an amount has raised what is owed on it, or has lowered it."""
    if "amount_due" in shown:
        paid = shown["amount_paid"] - raised
        remaining = max(0, shown["amount_due"] - paid)
        status = "unpaid" if remaining else "paid"
        return shown | {"amount_paid": paid, "amount_remaining": remaining, "status": status}
    return shown | ({"balance": shown["balance"] + raised} if "balance" in shown else {})


def taken_back_by(moved: Json) -> str | None:
    """Give the id of what took an amount back; None where it was applied."""
    return moved.get("refund_id") or moved.get("reversal_id") or moved.get(MOVED_AWAY)


def raised_by(moved: Json) -> int:
    """Give by how much an event of money has raised what is owed."""
    amount: int = moved["amount"]
    return amount if taken_back_by(moved) else -amount


def cause_of(moved: Json) -> Cause:
    """Give the cause of the transfer that an event of money tells of."""
    if "allocation_id" in moved or "move_id" in moved:
        return Cause.ALLOCATION if "allocation_id" in moved else Cause.MOVE
    if "refund_id" in moved:
        return Cause.REFUND
    return Cause.REVERSAL if "reversal_id" in moved else Cause.PAYMENT


def told_as(event: Event) -> tuple[str, str]:
    """Give id and type as an event's envelope has them."""
    envelope = json.loads(event.body)
    return envelope["id"], envelope["type"]


def shown_by(event: Event) -> Json:
    """Give the object as an event shows it."""
    data: Json = json.loads(event.body)["data"]
    return data


def grouped(items: Iterable[Item], by: Callable[[Item], Any]) -> dict[Any, list[Item]]:
    """Group items, each group in the order in which they come."""
    groups: dict[Any, list[Item]] = defaultdict(list)
    for item in items:
        groups[by(item)].append(item)
    return dict(groups)
