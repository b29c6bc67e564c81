"""The audit of one tenant's books after the worst: what its callers were told, against every row that there is."""

import json
from collections import Counter
from collections.abc import Iterator

import asyncpg

from owed.model.bill import Bill, BillStatus
from owed.model.billing_object import BillingObject
from owed.model.event import Event
from owed.model.transfer import Transfer
from owed.store.accounts import ACCOUNTS
from owed.store.bills import BILLS
from owed.store.customers import CUSTOMERS
from tests.contract.client import Json
from tests.contract.service import Database
from tests.failure.callers import Field, Hasty, Told
from tests.failure.writes import Write
from tests.properties import promises
from tests.properties.promises import Change, grouped
from tests.properties.requests import parts_of
from tests.store.reading import transfer

Row = asyncpg.Record


class Books:
    """All rows of one tenant, as they stand."""

    def __init__(self, database: Database, tenant_id: int) -> None:
        def rows(table: str, order: str) -> list[Row]:
            return database.rows(f"SELECT * FROM {table} WHERE tenant_id = $1 ORDER BY {order}", tenant_id)

        tables = (CUSTOMERS, ACCOUNTS, BILLS)
        self.objects: list[BillingObject] = [t.from_row(row) for t in tables for row in rows(t.kind, "id")]
        self.transfers: list[Transfer] = [transfer(row) for row in rows("transfer", "obligation_id, version")]
        self.events = [Event(**row) for row in rows("event", "object_id, sequence")]
        self.answers = {row["key"]: row for row in rows("answer", "key")}
        self.attributions = grouped(rows("attribution", "id"), lambda row: row["reason"])
        self.terms = grouped(rows("search_term", "object_id, term"), lambda row: row["object_id"])
        self.statuses = {row["id"]: row["status"] for row in rows("bill", "id")}
        self.transfers_of_attribution = grouped(self.transfers, lambda transfer: transfer.attribution_id)
        self.by_name = {(item.kind, name): item for item in self.objects for name in (item.external_reference, item.id)}
        events_of = grouped(self.events, lambda event: event.object_id)
        self.changes = {item.id: promises.changes(item.kind, events_of.get(item.id, [])) for item in self.objects}
        self.changes_of_key = grouped((change for told in self.changes.values() for change in told), key_of)


def key_of(change: Change) -> str:
    """Give the key of the write that made a change: callers put it in the metadata."""
    key: str = change.after["metadata"]["key"]
    return key


def faults(books: Books, field: Field) -> Iterator[str]:
    """Yield all that is wrong with the books; nothing means that every promise was kept."""
    yield from promises.faults(books.objects, books.transfers, books.events)
    yield from faults_of_keys(books, field.told)
    yield from faults_of_hasty_writes(books, field.hasty)
    yield from faults_of_origin(books, field)
    for item in books.objects:
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
    if told.is_done and json.loads(told.body) not in [
        each.after for each in books.changes_of_key.get(told.write.key, [])
    ]:
        yield f"no event tells {told.body!r}"
    if told.status == 409 and not is_explained(books, told.write):
        yield "was told of a conflict with nothing"
    if told.status == 404 and f"nobody-{told.write.key}" not in told.write.path + told.write.body.decode():
        yield f"was told {told.body!r}"


def faults_of_effect(books: Books, write: Write, *, is_done: bool) -> Iterator[str]:
    """A write has all of its effects, with their transfers and the words of its caller, or nothing of them."""
    changes = books.changes_of_key.get(write.key, [])
    words = books.attributions.get(write.key, [])
    if len(words) != is_done:
        yield f"is on record {len(words)} times"
    if named(changes) != (expected(books, write) if is_done else Counter()):
        yield f"has the effects {changes}"
    transfers = [each for row in words for each in books.transfers_of_attribution.get(row["id"], [])]
    if len(transfers) != sum(1 for change in changes for _ in change.transfers()):
        yield f"has {changes}, and {transfers}"
    yield from faults_of_family({change.kind: change.after for change in changes if change.before is None})


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
    if write.name is None:
        taken = [books.by_name.get(part) for part in parts_of(write.kind, write.fields)]
        return any(not made_by(books, item, write) for item in taken if item)
    history = books.changes[books.by_name[write.kind, write.name].id]
    if any(change.after.get("status") == BillStatus.VOIDED for change in history):
        return True
    return "amount_paid" not in write.fields and any(change.after.get("amount_paid") for change in history)


def made_by(books: Books, item: BillingObject, write: Write) -> bool:
    return any(change.before is None and key_of(change) == write.key for change in books.changes[item.id])


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
    for name, strange in (
        ("answers", books.answers.keys() - asked),
        ("events", books.changes_of_key.keys() - done),
        ("attributions", books.attributions.keys() - done),
        ("search terms", books.terms.keys() - books.changes.keys()),
    ):
        if strange:
            yield f"{name} of no known origin: {strange}"
