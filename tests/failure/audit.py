"""The audit of one tenant's books after the worst: what its callers were told, against every row that there is."""

import json
from collections import Counter
from collections.abc import Iterator

import msgspec

from owed.model.bill import Bill, BillStatus
from owed.model.billing_object import BillingObject
from tests.contract.client import Json
from tests.failure import money
from tests.failure.books import Books
from tests.failure.callers import Field, Hasty, Told
from tests.failure.writes import KINDS, LARGEST, Write
from tests.properties import promises
from tests.properties.promises import Change
from tests.properties.requests import parts_of


def faults(books: Books, field: Field) -> Iterator[str]:
    """Yield all that is wrong with the books; nothing means that every promise was kept."""
    yield from promises.faults(books.objects, books.transfers, books.events)
    yield from promises.faults_of_money(books.money, books.transfers)
    yield from promises.faults_of_adjustments(books.objects, books.adjustments.values(), books.transfers)
    yield from money.faults(books)
    yield from faults_of_keys(books, field.told)
    yield from faults_of_hasty_writes(books, field.hasty)
    yield from faults_of_origin(books, field)
    for item in (*books.objects, *books.money, *books.adjustments.values()):
        if {row["term"] for row in books.terms.get(item.id, [])} != set(item.terms()):
            yield f"{item.kind} {item.id}: its search terms are not those of what it holds"
        if isinstance(item, Bill) and books.statuses[item.id] != item.status:
            yield f"bill {item.id} is {item.status}, its row says {books.statuses[item.id]}"


def faults_of_keys(books: Books, told: list[Told]) -> Iterator[str]:
    """Each key has the answer that was told, and its whole effect once, or none where it was refused."""
    for each in told:
        for fault in (*faults_of_answer(books, each), *faults_of_effect(books, each.write, is_done=each.is_done)):
            yield f"key {each.write.key} ({each.write.method} {each.write.path}, {each.status}): {fault}"


def faults_of_answer(books: Books, told: Told) -> Iterator[str]:
    answer = books.answers.get(told.write.key)
    if answer is None:
        yield "keeps no answer"
    elif (answer["status"], answer["body"]) != (told.status, told.body):
        yield f"keeps {(answer['status'], answer['body'])}, but told {told.body!r}"
    if told.is_done and json.loads(told.body) not in shown_under(books, told.write.key):
        yield f"nothing was ever shown as {told.body!r}"
    if told.status == 409 and not is_explained(books, told.write):
        yield "was told of a conflict with nothing"
    if told.status == 404 and f"nobody-{told.write.key}" not in told.write.path + told.write.body.decode():
        yield f"was told {told.body!r}"
    if told.status == 422 and not (money.is_against_the_rules(books, told) or is_not_covered(books, told.write)):
        yield f"was refused as {told.body!r}, which no rule does"


def shown_under(books: Books, key: str) -> list[Json]:
    """List all that a write has made or changed, as it was shown then."""
    changed = [change.after for change in books.changes_of_key.get(key, [])]
    adjusted = (msgspec.to_builtins(item.shown()) for item in books.adjustments_of_key.get(key, []))
    return [*changed, *(money.as_made(item) for item in books.money_of_key.get(key, [])), *adjusted]


def faults_of_effect(books: Books, write: Write, *, is_done: bool) -> Iterator[str]:
    """A write has all of its effects, with their transfers and the words of its caller, or nothing of them."""
    changes = books.changes_of_key.get(write.key, [])
    words = books.attributions.get(write.key, [])
    if len(words) != is_done:
        yield f"is on record {len(words)} times"
    if write.moves_money:
        yield from money.faults_of_effect(books, write, is_done=is_done)
    elif write.adjusts:
        yield from faults_of_adjusting(books, write, is_done=is_done)
    elif named(changes) != (expected(books, write) if is_done else Counter()):
        yield f"has the effects {changes}"
    transfers = [each for row in words for each in books.transfers_of_attribution.get(row["id"], [])]
    if len(transfers) != sum(1 for change in changes for _ in change.transfers()):
        yield f"has {changes}, and {transfers}"
    yield from faults_of_family({change.kind: change.after for change in changes if change.before is None})


def faults_of_adjusting(books: Books, write: Write, *, is_done: bool) -> Iterator[str]:
    """A charge or a credit is there once, as it was asked for, and told of once; or it is not there."""
    made, told = books.adjustments_of_key.get(write.key, []), books.changes_of_key.get(write.key, [])
    if [item.kind for item in made] != [write.kind] * is_done:
        yield f"is on record as {made}"
    if [change.adjusted and change.adjusted.document_id for change in told] != [item.id for item in made]:
        yield f"has made {made}, and is told of as {told}"
    if any(not write.fields.items() <= msgspec.to_builtins(item.shown()).items() for item in made):
        yield f"asked for {write.fields}, made {made}"


def faults_of_family(made: dict[str, Json]) -> Iterator[str]:
    """What was made together belongs together."""
    for kind, parent in (("account", "customer"), ("bill", "customer"), ("bill", "account")):
        if {kind, parent} <= made.keys() and made[kind].get(f"{parent}_id") != made[parent]["id"]:
            yield f"{made[kind]} does not belong to {made[parent]}"


def expected(books: Books, write: Write) -> "Counter[tuple[str, str, bool]]":
    """Name what a write makes, or what it changes: kind, reference, and whether it is new."""
    if write.name is None:
        return Counter((kind, reference, True) for kind, reference in parts_of(write.kind, write.fields))
    item = books.by_name.get((write.kind, write.name))
    return Counter([(write.kind, item.external_reference, False)] if item else [])


def named(changes: list[Change]) -> "Counter[tuple[str, str, bool]]":
    """Name what changes made or changed, as `expected` does."""
    return Counter((change.kind, change.after["external_reference"], change.before is None) for change in changes)


def is_explained(books: Books, write: Write) -> bool:
    """Tell whether there is, or was, what a write can have come into conflict with."""
    if write.moves_money:
        return money.is_explained(books, write)
    if write.name is None:
        taken = [books.by_name.get(part) for part in parts_of(write.kind, write.fields)]
        return any(not made_by(books, item, write) for item in taken if item)
    if write.adjusts:
        return is_too_much(books, write)
    history = books.changes[books.by_name[write.kind, write.name].id]
    if any(change.after.get("status") == BillStatus.VOIDED for change in history):
        return True
    if "amount_paid" in write.fields:
        return any(received > write.fields["amount_paid"] for received in money.received_in(history))
    return any(change.after.get("amount_paid") for change in history)


def is_too_much(books: Books, write: Write) -> bool:
    """Tell whether another has the reference of a charge or credit, or the object does not take as much."""
    rivals = (item for item in books.adjustments.values() if item.kind == write.kind)
    taken = {item.external_reference for item in rivals if item.metadata["key"] != write.key}
    if write.fields.get("external_reference", "") in taken:
        return True
    return any(
        after.get("status") == BillStatus.VOIDED or after["amount_remaining"] < write.fields["amount"]
        if "amount_due" in after
        else abs(after["balance"]) + write.fields["amount"] > LARGEST
        for after in adjusted(books, write)
    )


def is_not_covered(books: Books, write: Write) -> bool:
    """Tell whether the credit of an object was once too little for a charge."""
    if "floor" not in write.fields:
        return False
    least = write.fields["floor"] + write.fields["amount"]
    return any(-after["balance"] < least for after in adjusted(books, write))


def adjusted(books: Books, write: Write) -> list[Json]:
    """Give the object that a write charges or credits, as it was after each of its changes."""
    of = KINDS[write.path.split("/")[2]]
    return [change.after for change in books.changes[books.by_name[of, write.name or ""].id]]


def made_by(books: Books, item: BillingObject, write: Write) -> bool:
    return any(change.before is None and books.key_of(change) == write.key for change in books.changes[item.id])


def faults_of_hasty_writes(books: Books, hasty: list[Hasty]) -> Iterator[str]:
    """A write that was sent once, without a key, has the effects that were told of it, whole."""
    for each in hasty:
        is_done = each.write.key in books.changes_of_key or each.write.key in books.attributions
        if is_done not in each.effects:
            yield f"{each.write.key}, sent once without a key: it is {is_done} that it has effects, of {each.effects}"
        for fault in faults_of_effect(books, each.write, is_done=is_done):
            yield f"{each.write.key}, sent once without a key ({each.write.method} {each.write.path}): {fault}"


def faults_of_origin(books: Books, field: Field) -> Iterator[str]:
    """Nothing is there that nobody asked for."""
    asked = {each.write.key for each in field.told}
    done = {each.write.key for each in field.told if each.is_done} | {each.write.key for each in field.hasty}
    known = books.changes.keys() | books.adjustments.keys() | {item.id for item in books.money}
    for name, strange in (
        ("answers", books.answers.keys() - asked),
        ("events", books.changes_of_key.keys() - done),
        ("payments, refunds or reversals", books.money_of_key.keys() - done),
        ("charges or credits", books.adjustments_of_key.keys() - done),
        ("attributions", books.attributions.keys() - done),
        ("search terms", books.terms.keys() - known),
    ):
        if strange:
            yield f"{name} of no known origin: {strange}"
