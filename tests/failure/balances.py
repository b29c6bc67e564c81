"""The audit of what is owed: charges, credits and balances, against what was asked and what stands."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from owed.model.transfer import Cause, Transfer
from tests.contract.client import Json
from tests.failure.books import Books
from tests.failure.writes import Write
from tests.properties.promises import Change

REPLACING = {Cause.OPENING, Cause.BALANCE_SET}
"""What moves no balance: it says where one stands."""


def faults_of_adjusting(books: Books, write: Write, *, is_done: bool) -> Iterator[str]:
    """A charge or a credit is there once, as it was asked for, and told of once; or it is not there."""
    if write.takes_back:
        yield from faults_of_reversing(books, write, write.takes_back, is_done=is_done)
        return
    made = books.adjustments_of_key.get(write.key, [])
    if [item.kind for item in made] != [write.kind] * is_done:
        yield f"is on record as {made}"
    if told_of(books, write) != [(item.id, item.effect) for item in made]:
        yield f"has made {made}, and is told of as {books.changes_of_key.get(write.key)}"
    if any(not write.fields.items() <= msgspec.to_builtins(item.shown()).items() for item in made):
        yield f"asked for {write.fields}, made {made}"


def faults_of_reversing(books: Books, write: Write, adjustment_id: str, *, is_done: bool) -> Iterator[str]:
    """A charge or a credit is taken back once, all of it; or it is not."""
    item = books.adjustments[adjustment_id]
    if told_of(books, write) != [(item.id, -item.effect)] * is_done:
        yield f"takes back {item}, and is told of as {books.changes_of_key.get(write.key)}"
    if is_done and item.reversed_at is None:
        yield f"was to take back {item}, which stands"


def told_of(books: Books, write: Write) -> list[tuple[str | None, int]]:
    """List the charges and credits that the events of a write told of, and what each did to what is owed."""
    changes = books.changes_of_key.get(write.key, [])
    return [(each.adjusted.document_id, each.adjusted.amount) for each in changes if each.adjusted]


def adjustments_as_shown(books: Books, write: Write) -> Iterator[Json]:
    """Yield the charge or credit that a write made, as it was before anybody took it back, or that it took back."""
    for item in books.adjustments_of_key.get(write.key, []):
        yield msgspec.to_builtins(msgspec.structs.replace(item, reversed_at=None).shown())
    if write.takes_back:
        yield msgspec.to_builtins(books.adjustments[write.takes_back].shown())


def faults_of_balances(books: Books, write: Write) -> Iterator[str]:
    """A balance that is given stands, with what was recorded since the time that it is of on top."""
    if write.method != "PATCH" or "balance" not in write.fields:
        return
    for change in books.changes_of_key.get(write.key, []):
        reapplied = moved_since(books, change, write.fields.get("balance_as_of"))
        if change.after["balance"] != write.fields["balance"] + sum(reapplied):
            yield f"gave a balance on which {reapplied} come, and made it {change}"
        answer = books.answers.get(write.key)
        if answer and answer["reapplied"] != (len(reapplied) if "balance_as_of" in write.fields else None):
            yield f"reapplied {reapplied}, and told of {answer['reapplied']}"


def moved_since(books: Books, change: Change, as_of: str | None) -> list[int]:
    """List the amounts that had moved a balance since a time when it was changed, less what was passed on."""
    if as_of is None:
        return []
    history = books.changes[change.after["id"]]
    earlier = history[: next(place for place, each in enumerate(history) if each is change)]
    moves: list[Transfer] = []
    for transfer in books.chains.get(change.after["id"], [])[: sum(1 for each in earlier for _ in each.transfers())]:
        if transfer.cause is Cause.PASSED_ON:
            moves.pop()
        else:
            moves.append(transfer)
    since = datetime.fromisoformat(as_of)
    return [each.amount for each in moves if each.recorded_at > since and each.cause not in REPLACING]
