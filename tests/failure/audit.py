"""The audit of one tenant's books after the worst: what its callers were told, against every row that there is."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import asyncpg
import msgspec

from owed.core.ledger import seal
from owed.model.customer import Customer
from owed.model.search import customer_terms
from owed.model.transfer import Cause, LedgerAccount, Transfer
from owed.store.customers import from_row
from tests.contract.client import Json
from tests.contract.service import Database
from tests.failure.callers import Field, Hasty, Told

Row = asyncpg.Record


class Books:
    """All rows of one tenant, as they stand."""

    def __init__(self, database: Database, tenant_id: int) -> None:
        def rows(table: str, order: str) -> list[Row]:
            return database.rows(f"SELECT * FROM {table} WHERE tenant_id = $1 ORDER BY {order}", tenant_id)

        self.customers = {row["id"]: from_row(row) for row in rows("customer", "id")}
        self.transfers = grouped(rows("transfer", "obligation_id, version"), lambda row: row["obligation_id"])
        self.events = grouped(rows("event", "object_id, sequence"), lambda row: row["object_id"])
        self.events_of_key = grouped(
            (row for of_one in self.events.values() for row in of_one), lambda row: shown_by(row)["metadata"]["key"]
        )
        self.attributions = grouped(rows("attribution", "id"), lambda row: row["reason"])
        self.transfers_of_attribution = grouped(
            (row for of_one in self.transfers.values() for row in of_one), lambda row: row["attribution_id"]
        )
        self.answers = {row["key"]: row for row in rows("answer", "key")}
        self.terms = grouped(rows("search_term", "object_id, term"), lambda row: row["object_id"])


def faults(books: Books, field: Field) -> Iterator[str]:
    """Yield all that is wrong with the books; nothing means that every promise was kept."""
    yield from faults_of_keys(books, field.told)
    yield from faults_of_hasty_writes(books, field.hasty)
    yield from faults_of_origin(books, field)
    for customer in books.customers.values():
        for fault in faults_of_customer(books, customer):
            yield f"customer {customer.id}: {fault}"


def faults_of_keys(books: Books, told: list[Told]) -> Iterator[str]:
    """Each key has the answer that was told, and exactly one effect, or none where it was refused."""
    references = {customer.external_reference for customer in books.customers.values()}
    for each in told:
        answer = books.answers.get(each.write.key)
        if answer is None:
            yield f"key {each.write.key}: was answered {each.status}, and keeps no answer"
        elif (answer["status"], answer["body"]) != (each.status, each.body):
            kept = (answer["status"], answer["body"])
            yield f"key {each.write.key}: keeps {kept}, but told {each.status} {each.body!r}"
        if each.status == 409 and each.write.fields["external_reference"] not in references:
            yield f"key {each.write.key}: was told of a conflict with nothing"
        for fault in faults_of_effect(books, each):
            yield f"key {each.write.key} ({each.write.method}, {each.status}): {fault}"


def faults_of_effect(books: Books, told: Told) -> Iterator[str]:
    expected = 1 if told.is_done else 0
    events = books.events_of_key.get(told.write.key, [])
    words = books.attributions.get(told.write.key, [])
    transfers = [row for each in words for row in books.transfers_of_attribution.get(each["id"], [])]
    if counts := {"events": len(events), "attributions": len(words), "transfers": len(transfers)}:
        if set(counts.values()) != {expected}:
            yield f"should have {expected} of each, has {counts}"
        elif told.is_done and shown_by(events[0]) != json.loads(told.body):
            yield f"its event tells {shown_by(events[0])}, but the answer was {told.body!r}"
        elif told.is_done and transfers[0]["total_after"] != told.write.fields["balance"]:
            yield f"its transfer ends at {transfers[0]['total_after']}"


def faults_of_hasty_writes(books: Books, hasty: list[Hasty]) -> Iterator[str]:
    """A write that was sent once, without a key, has the effects that were told of it."""
    for each in hasty:
        effects = len(books.events_of_key.get(each.write.key, []))
        if effects not in each.effects:
            yield f"{each.write.key}, sent once without a key: has {effects} effects, of {each.effects}"


def faults_of_origin(books: Books, field: Field) -> Iterator[str]:
    """Nothing is there that nobody asked for, and no part without its whole."""
    asked = {each.write.key for each in field.told}
    done = {each.write.key for each in field.told if each.is_done} | {each.write.key for each in field.hasty}
    for name, strange in (
        ("answers", books.answers.keys() - asked),
        ("events", books.events_of_key.keys() - done),
        ("attributions", books.attributions.keys() ^ books.events_of_key.keys()),
        ("transfers", books.transfers.keys() ^ books.customers.keys()),
        ("histories", books.events.keys() ^ books.customers.keys()),
        ("search terms", books.terms.keys() ^ books.customers.keys()),
    ):
        if strange:
            yield f"{name} of no known origin, or without their other half: {strange}"


def faults_of_customer(books: Books, customer: Customer) -> Iterator[str]:
    yield from faults_of_ledger(books.transfers.get(customer.id, []), customer)
    yield from faults_of_history(books.events.get(customer.id, []), customer)
    if {row["term"] for row in books.terms.get(customer.id, [])} != customer_terms(customer):
        yield "its search terms are not those of what it holds"


def faults_of_ledger(rows: list[Row], customer: Customer) -> Iterator[str]:
    """The transfers are numbered without gaps, run to the balance, and chain."""
    total, previous, recorded_at = 0, b"", None
    for number, row in enumerate(rows, start=1):
        total += row["amount"]
        if row["version"] != number:
            yield f"transfer {row['version']} stands in place {number}"
        if row["total_after"] != total:
            yield f"after transfer {number} the total is {row['total_after']}, the sum {total}"
        if row["hash"] != seal(transfer_of(row), previous):
            yield f"transfer {number} breaks the chain"
        if recorded_at is not None and row["recorded_at"] <= recorded_at:
            yield f"transfer {number} is recorded before its predecessor"
        previous, recorded_at = row["hash"], row["recorded_at"]
    obligation = customer.obligation
    stands = (obligation.total, obligation.version, obligation.hash, obligation.recorded_at)
    if stands != (total, len(rows), previous, recorded_at):
        yield f"stands at {stands}, its transfers at {(total, len(rows), previous, recorded_at)}"


def faults_of_history(rows: list[Row], customer: Customer) -> Iterator[str]:
    """The events are numbered without gaps, begin with the creation, and end with what stands."""
    if [row["sequence"] for row in rows] != list(range(1, customer.event_sequence + 1)):
        yield f"has events {[row['sequence'] for row in rows]}, and counts {customer.event_sequence}"
    if [row["type"] for row in rows] != ["customer.created", *["customer.updated"] * (len(rows) - 1)]:
        yield f"has the history {[row['type'] for row in rows]}"
    if rows and shown_by(rows[-1]) != msgspec.to_builtins(customer.shown()):
        yield f"its last event tells {shown_by(rows[-1])}, but it is {customer.shown()}"


def transfer_of(row: Row) -> Transfer:
    """Make the transfer that a row holds."""
    values = {field.name: row[field.name] for field in msgspec.structs.fields(Transfer)}
    sides = {name: LedgerAccount(row[name]) for name in ("debit", "credit")}
    return Transfer(**values | sides | {"cause": Cause(row["cause"])})


def shown_by(event: Row) -> Json:
    """Give the object as an event shows it."""
    data: Json = json.loads(event["body"])["data"]
    return data


def grouped(rows: Iterable[Row], by: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    """Group rows, each group in the order in which its rows come."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[by(row)].append(row)
    return dict(groups)
