"""The audit of money: what was paid, refunded and reversed, against what was asked and what stands."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

import msgspec

from owed.model.bill import MAX_AMOUNT, Bill
from owed.model.money import MAX_TOTAL
from owed.model.payment import Application, Payment
from owed.model.payment_rules import PaymentRules
from owed.model.taken_back import TakenBack
from tests.contract.client import Json
from tests.core.test_rules import Facts, refusing
from tests.failure.books import Books
from tests.failure.callers import Told
from tests.failure.writes import PLACES, Write
from tests.properties.promises import Change, Money, raised_by, taken_back_by

GIVEN = ("amount", "currency", "external_reference", "channel", "paid_at", "reason")
"""Members that are shown as they were asked for."""

Part = tuple[str, str, str, int]
"""An amount of a payment on an object: the ids of object, payment and application."""


def faults(books: Books) -> Iterator[str]:
    """Yield what no single write tells: whether the rules held at every payment, and whether all sums agree."""
    for change in (change for told in books.changes.values() for change in told):
        yield from faults_of_rules(change)
    versions = Counter(taken_back.payment_id for taken_back in books.taken_back.values())
    for payment in books.payments.values():
        if payment.version != 1 + versions[payment.id]:
            yield f"{payment} was taken back {versions[payment.id]} times"
    if strangers := {each.taken_back_id for each in books.transfers} - books.taken_back.keys() - {None}:
        yield f"transfers of what took nothing back: {strangers}"
    yield from faults_of_bills(books)
    yield from faults_of_accounts(books)


def faults_of_rules(change: Change) -> Iterator[str]:
    """Money that came in was taken by the rules of that moment."""
    if change.before is None or change.moved is None or taken_back_by(change.moved):
        return
    if rules := refused_by(change.before, change.moved["amount"], change.moved["currency"]):
        yield f"{change} was made against the rules {rules}"


def faults_of_bills(books: Books) -> Iterator[str]:
    """A bill has received what payments hold on it."""
    held: Counter[str] = Counter()
    for application in (application for payment in books.payments.values() for application in payment.applications):
        held[application.object_id] += application.held
    for bill in (item for item in books.objects if isinstance(item, Bill)):
        if bill.amount_received != held[bill.id]:
            yield f"{bill} has received {bill.amount_received}, its payments hold {held[bill.id]}"


def faults_of_accounts(books: Books) -> Iterator[str]:
    """The accounts of the ledger stand at what objects and payments come to."""
    stands: Counter[tuple[str, str | None]] = Counter()
    for transfer in books.transfers:
        stands[transfer.debit, transfer.currency] += abs(transfer.amount)
        stands[transfer.credit, transfer.currency] -= abs(transfer.amount)
    wanted: Counter[tuple[str, str | None]] = Counter()
    for item in books.objects:
        wanted["receivable", item.obligation.currency] += item.obligation.total
    for payment in books.payments.values():
        clearing = f"clearing:{payment.channel}" if payment.channel else "clearing"
        wanted[clearing, payment.currency] += payment.amount - payment.amount_reversed
        wanted["refunds_payable", payment.currency] -= payment.amount_refunded
    for account, currency in sorted(wanted):
        if stands[account, currency] != wanted[account, currency]:
            yield f"{account} stands at {stands[account, currency]} {currency}, not at {wanted[account, currency]}"


def faults_of_effect(books: Books, write: Write, *, is_done: bool) -> Iterator[str]:
    """A write has made what it asked for, told of each part once, and moved each part once; or nothing of that."""
    items = books.money_of_key.get(write.key, [])
    if [item.kind for item in items] != [write.kind] * is_done:
        yield f"is on record as {items}"
    parts = sorted(part for item in items for part in parts_of(item))
    if parts != (told := sorted(map(part_told, books.changes_of_key.get(write.key, [])))):
        yield f"has the parts {parts}, and events of {told}"
    transfers = [each for item in items for each in books.transfers_of_money.get(item.id, [])]
    moved = sorted((each.obligation_id, each.payment_id, abs(each.amount)) for each in transfers)
    if moved != [(object_id, payment_id, amount) for object_id, payment_id, _, amount in parts]:
        yield f"has the parts {parts}, and the transfers {transfers}"
    for item in items:
        yield from faults_of_members(write, item)
        if isinstance(item, Payment):
            yield from faults_of_applications(books, write, item)
        elif isinstance(item, TakenBack):
            yield from faults_of_shares(write, item, books.payments[item.payment_id])


def faults_of_applications(books: Books, write: Write, payment: Payment) -> Iterator[str]:
    """A payment is applied as it was asked, part by part."""
    asked = [(kind, books.by_name[kind, name].id, amount) for kind, name, amount in targets(write)]
    if asked != [(each.kind, each.object_id, each.amount) for each in payment.applications]:
        yield f"asked for {asked}, was applied as {payment.applications}"


def faults_of_shares(write: Write, taken_back: TakenBack, payment: Payment) -> Iterator[str]:
    """A refund or reversal takes of the payment that is named what was asked, or the newest, or else all."""
    if write.name not in {payment.id, payment.external_reference}:
        yield f"takes back {payment}"
    shares = [{"id": share.id, "amount": share.amount} for share in taken_back.applications]
    if shares != write.fields.get("applications", shares):
        yield f"asked for {write.fields['applications']}, took {shares}"
    if not {"amount", "applications"} & write.fields.keys() and payment.held:
        yield f"took all that was left of {payment}"
    if "applications" not in write.fields and any(each.held for each in newer(payment, taken_back)):
        yield f"took {shares}, and not the newest of {payment} first"


def newer(payment: Payment, taken_back: TakenBack) -> tuple[Application, ...]:
    """Give the applications after the oldest that something was taken of."""
    taken = {share.id for share in taken_back.applications}
    oldest = next(place for place, each in enumerate(payment.applications) if each.id in taken)
    return payment.applications[oldest + 1 :]


def faults_of_members(write: Write, item: Money) -> Iterator[str]:
    """What was given is shown, and the parts add up."""
    shown, given = as_made(item), {name: value for name, value in write.fields.items() if name in GIVEN}
    if not given.items() <= {name: shown.get(name) for name in GIVEN}.items():
        yield f"asked for {given}, made {shown}"
    if shown["amount"] != sum(each.amount for each in item.applications):
        yield f"made {shown}, whose parts do not add up"


def is_explained(books: Books, write: Write) -> bool:
    """Tell whether another has the reference of a write, or there is less than it would take back.

    A payment never comes to hold more again: what was too much is too much still.
    """
    rivals = (item for item in books.money if item.kind == write.kind and item.metadata["key"] != write.key)
    if any(rival.external_reference == write.fields.get("external_reference", "") for rival in rivals):
        return True
    if write.kind == "payment":
        return False
    named = [payment for payment in books.payments.values() if write.name in {payment.id, payment.external_reference}]
    return any(is_beyond(payment, write.fields) for payment in named)


def is_beyond(payment: Payment, fields: Json) -> bool:
    """Tell whether a refund or reversal would take more than a payment holds."""
    held = {each.id: each.held for each in payment.applications}
    is_less = any(held[part["id"]] < part["amount"] for part in fields.get("applications", []))
    return is_less or payment.held < fields.get("amount", 1)


def is_against_the_rules(books: Books, told: Told) -> bool:
    """Tell whether something that a payment names was once as the refusal says."""
    if told.write.kind != "payment":
        return False
    rule, currency = json.loads(told.body).get("rule"), told.write.fields["currency"]
    return any(
        rule in refused_by(change.after, amount, currency)[:1]
        for kind, name, amount in targets(told.write)
        for change in books.changes[books.by_name[kind, name].id]
    )


def refused_by(shown: Json, amount: int, currency: str) -> list[str]:
    """List the rules that refuse to pay an object that is shown so (contract, section 5)."""
    given = shown.get("payment_rules")
    return refusing(facts_of(shown), PaymentRules(**given) if given else None, amount, currency)


def facts_of(shown: Json) -> Facts:
    """Give what the rules look at."""
    if "amount_due" in shown:
        left, is_voided = MAX_AMOUNT - shown["amount_paid"], shown["status"] == "voided"
        return Facts(shown["amount_remaining"], left, shown["currency"], is_voided)
    return Facts(max(0, shown["balance"]), MAX_TOTAL + shown["balance"], shown["currency"])


def targets(write: Write) -> Iterator[tuple[str, str, int]]:
    """Yield what a payment names: kind, name and amount."""
    for part in write.fields.get("applications", [write.fields]):
        yield from ((kind, part[kind], part["amount"]) for kind in PLACES if kind in part)


def as_made(item: Money) -> Json:
    """Give what is shown of a payment, refund or reversal when it is made: nothing of it has been taken back."""
    if isinstance(item, Payment):
        whole = tuple(msgspec.structs.replace(each, taken_back=0) for each in item.applications)
        item = msgspec.structs.replace(
            item, amount_refunded=0, amount_reversed=0, last_taken_back=None, applications=whole
        )
    shown: Json = msgspec.to_builtins(item.shown())
    return shown


def parts_of(item: Money) -> Iterator[Part]:
    payment_id = item.id if isinstance(item, Payment) else item.payment_id
    return ((each.object_id, payment_id, each.id, each.amount) for each in item.applications)


def part_told(change: Change) -> Part:
    """Give the part of a payment that an event told of."""
    moved = change.moved or {"payment_id": "", "id": "", "amount": 0}
    return change.after["id"], moved["payment_id"], moved["id"], moved["amount"]


def received_in(history: list[Change]) -> Iterator[int]:
    """Yield what payments held on an object after each change, and what was credited."""
    return accumulate(map(received_by, history))


def received_by(change: Change) -> int:
    """Give by how much payments, or credits, count more than before a change."""
    if change.adjusted is not None:
        return -change.adjusted.amount
    return -raised_by(change.moved) if change.moved else 0
