"""Whether what was refused had to be: by what stands, or stood at some time, on what a write names."""

import json
from collections.abc import Iterator
from itertools import accumulate

from owed.model.bill import MAX_AMOUNT, BillStatus
from owed.model.billing_object import BillingObject
from owed.model.money import MAX_TOTAL
from owed.model.payment import Payment
from owed.model.payment_rules import PaymentRules
from tests.contract.client import Json
from tests.core.test_rules import Facts, refusing
from tests.failure.books import Books
from tests.failure.callers import Told
from tests.failure.writes import KINDS, LARGEST, PLACES, Write
from tests.properties.promises import Change, raised_by
from tests.properties.requests import parts_of


def is_explained(books: Books, write: Write) -> bool:
    """Tell whether there is, or was, what a write can have come into conflict with."""
    if write.moves_money:
        return has_rival(books, write) or is_beyond_payment(books, write)
    if write.adjusts:
        return is_taken_back(books, write) if write.takes_back else is_too_much(books, write)
    if write.name is None:
        taken = [books.by_name.get(part) for part in parts_of(write.kind, write.fields)]
        return any(not made_by(books, item, write) for item in taken if item)
    history = books.changes[books.by_name[write.kind, write.name].id]
    if any(change.after.get("status") == BillStatus.VOIDED for change in history):
        return True
    if "amount_paid" in write.fields:
        return any(received > write.fields["amount_paid"] for received in received_in(history))
    return any(change.after.get("amount_paid") for change in history)


def made_by(books: Books, item: BillingObject, write: Write) -> bool:
    return any(change.before is None and books.key_of(change) == write.key for change in books.changes[item.id])


def received_in(history: list[Change]) -> Iterator[int]:
    """Yield what payments held on a bill after each change, and what was credited."""
    return accumulate(map(received_by, history))


def received_by(change: Change) -> int:
    """Give by how much payments, or credits, count more than before a change."""
    if change.adjusted is not None:
        return -change.adjusted.amount
    return -raised_by(change.moved) if change.moved else 0


# Charges and credits


def is_taken_back(books: Books, write: Write) -> bool:
    """Tell whether another has reversed what a write was to reverse."""
    effects = [each for each in books.transfers if each.document_id == write.takes_back]
    return any(books.reasons[each.attribution_id] != write.key for each in effects[1:])


def is_too_much(books: Books, write: Write) -> bool:
    """Tell whether another has the reference of a charge or credit, or the object does not take as much."""
    rivals = (item for item in books.adjustments.values() if item.kind == write.kind)
    taken = {item.external_reference for item in rivals if item.metadata["key"] != write.key}
    if write.fields.get("external_reference", "") in taken:
        return True
    amount, history = write.fields["amount"], adjusted(books, write)
    if write.fields.get("type") == "credit_note":
        return any(most < amount for most in creditable(history))
    return any(
        after.get("status") == BillStatus.VOIDED or after["amount_remaining"] < amount
        if "amount_due" in after
        else abs(after["balance"]) + amount > LARGEST
        for after in (change.after for change in history)
    )


def creditable(history: list[Change]) -> Iterator[int]:
    """Yield the most that a bill took as a credit note after each change."""
    credited = accumulate(-change.adjusted.amount if change.adjusted else 0 for change in history)
    for change, sum_credited in zip(history, credited, strict=True):
        is_voided, after = change.after["status"] == BillStatus.VOIDED, change.after
        yield 0 if is_voided else min(after["amount_due"] - sum_credited, MAX_AMOUNT - after["amount_paid"])


def is_not_covered(books: Books, write: Write) -> bool:
    """Tell whether the credit of an object was once too little for a charge."""
    if "floor" not in write.fields:
        return False
    least = write.fields["floor"] + write.fields["amount"]
    return any(-change.after["balance"] < least for change in adjusted(books, write))


def adjusted(books: Books, write: Write) -> list[Change]:
    """List the changes of the object that a write charges or credits."""
    of = KINDS[write.path.split("/")[2]]
    return books.changes[books.by_name[of, write.name or ""].id]


# Payments, and what changes them


def has_rival(books: Books, write: Write) -> bool:
    """Tell whether another has the reference of a write."""
    rivals = (item for item in books.money if item.kind == write.kind and item.metadata["key"] != write.key)
    return any(rival.external_reference == write.fields.get("external_reference", "") for rival in rivals)


def is_beyond_payment(books: Books, write: Write) -> bool:
    """Tell whether a payment has not, or once had not, what a write was to take, or that fits nowhere."""
    named = [payment for payment in books.payments.values() if write.name in {payment.id, payment.external_reference}]
    if write.kind in {"refund", "reversal"}:
        return any(is_beyond(payment, write.fields) for payment in named)
    if write.kind == "allocation":
        least = max(1, sum(amount for _, _, amount in targets(write)))
        return any(
            least > min(unallocated_in(books, payment)) or fits_not(books, payment, write, 1) for payment in named
        )
    return write.kind == "move" and any(is_immovable(books, payment, write) for payment in named)


def is_beyond(payment: Payment, fields: Json) -> bool:
    """Tell whether a refund or reversal would take more than a payment holds, which never comes to be more again."""
    held = {each.id: each.held for each in payment.applications}
    is_less = any(held[part["id"]] < part["amount"] for part in fields.get("applications", []))
    return is_less or payment.held < fields.get("amount", 1)


def is_immovable(books: Books, payment: Payment, write: Write) -> bool:
    """Tell whether an application holds less than is to be moved, or is there already, or it does not fit there."""
    of = next(each for each in payment.applications if each.id == write.fields["application"])
    is_there = any(books.by_name[kind, name].id == of.object_id for kind, name, _ in targets(write))
    return is_there or of.held < write.fields.get("amount", 1) or fits_not(books, payment, write, of.amount)


def fits_not(books: Books, payment: Payment, write: Write, amount: int) -> bool:
    """Tell whether something once did not take what was to go there, or this amount where none is given."""
    return any(
        fitting(change.after, payment.currency) < (given or amount)
        for kind, name, given in targets(write)
        for change in books.changes[books.by_name[kind, name].id]
    )


def unallocated_in(books: Books, payment: Payment) -> list[int]:
    """List what of a payment was ever applied to nothing."""
    chain = books.chains.get(payment.id, [])
    before = [] if chain and chain[0].cause == "payment" else [0]
    return [*before, *(-each.total_after for each in chain)]


# Payment rules, and what fits


def is_against_the_rules(books: Books, told: Told) -> bool:
    """Tell whether something that a payment names was once as the refusal says."""
    if told.write.kind != "payment" or told.write.fields.get("received"):
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


def fitting(shown: Json, currency: str) -> int:
    """Give the most that an object that is shown so takes of money that is here already (contract, section 6)."""
    facts = facts_of(shown)
    if facts.is_voided or facts.currency != currency:
        return 0
    return min(facts.full, facts.owed or 0) if "amount_due" in shown else facts.full


def facts_of(shown: Json) -> Facts:
    """Give what the rules look at."""
    if "amount_due" in shown:
        left, is_voided = MAX_AMOUNT - shown["amount_paid"], shown["status"] == "voided"
        return Facts(shown["amount_remaining"], left, shown["currency"], is_voided)
    return Facts(max(0, shown["balance"]), MAX_TOTAL + shown["balance"], shown["currency"])


def targets(write: Write) -> Iterator[tuple[str, str, int]]:
    """Yield what money is to go to: kind, name, and amount; 0 where that is not said."""
    for part in write.fields.get("applications", [write.fields]):
        if named := [kind for kind in PLACES if kind in part]:
            yield named[-1], part[named[-1]], part.get("amount", 0)  # beside others a customer is the money's owner
