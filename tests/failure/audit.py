"""The audit of one tenant's books after the worst: what its callers were told, against every row that there is."""

import json
from collections import Counter
from collections.abc import Iterator

from owed.model.bill import Bill
from owed.model.identifiers import PAYMENT
from tests.contract.client import Json
from tests.failure import balances, money, sums
from tests.failure.books import Books, Row
from tests.failure.callers import Field, Hasty, Told
from tests.failure.refusals import is_against_the_rules, is_explained, is_not_covered
from tests.failure.writes import Write
from tests.properties import promises
from tests.properties.promises import Change
from tests.properties.requests import parts_of


def faults(books: Books, field: Field) -> Iterator[str]:
    """Yield all that is wrong with the books; nothing means that every promise was kept."""
    yield from promises.faults(books.objects, books.transfers, books.events)
    yield from promises.faults_of_money(books.money, books.transfers)
    yield from promises.faults_of_adjustments(books.objects, books.adjustments.values(), books.transfers)
    yield from sums.faults(books)
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
    elif (kept := (answer["status"], answer["body"], headers_of(answer))) != (told.status, told.body, told.kept):
        yield f"keeps {kept}, but told {told.body!r}, {told.kept}"
    if told.is_done and json.loads(told.body) not in shown_under(books, told.write):
        yield f"nothing was ever shown as {told.body!r}"
    if told.status == 409 and not is_explained(books, told.write):
        yield "was told of a conflict with nothing"
    if told.status == 404 and f"nobody-{told.write.key}" not in told.write.path + told.write.body.decode():
        yield f"was told {told.body!r}"
    if told.status == 422 and not (is_against_the_rules(books, told) or is_not_covered(books, told.write)):
        yield f"was refused as {told.body!r}, which no rule does"


def headers_of(answer: Row) -> list[str | None]:
    """Give the headers of an answer that is kept, as they are sent."""
    reapplied = answer["reapplied"]
    return [answer["location"], answer["etag"], answer["last_modified"], None if reapplied is None else str(reapplied)]


def shown_under(books: Books, write: Write) -> list[Json]:
    """List all that a write has made or changed, as it was shown then."""
    changed = [change.after for change in books.changes_of_key.get(write.key, [])]
    made = [money.as_made(books, write, item) for item in books.money_of_key.get(write.key, [])]
    return [*changed, *made, *balances.adjustments_as_shown(books, write)]


def faults_of_effect(books: Books, write: Write, *, is_done: bool) -> Iterator[str]:
    """A write has all of its effects, with their transfers and the words of its caller, or nothing of them."""
    changes = books.changes_of_key.get(write.key, [])
    words = books.attributions.get(write.key, [])
    if len(words) != is_done:
        yield f"is on record {len(words)} times"
    if write.moves_money:
        yield from money.faults_of_effect(books, write, is_done=is_done)
    elif write.adjusts:
        yield from balances.faults_of_adjusting(books, write, is_done=is_done)
    elif named(changes) != (expected(books, write) if is_done else Counter()):
        yield f"has the effects {changes}"
    yield from balances.faults_of_balances(books, write)
    transfers = [each for row in words for each in books.transfers_of_attribution.get(row["id"], [])]
    owing = [each for each in transfers if not each.obligation_id.startswith(PAYMENT)]
    if len(owing) != sum(1 for change in changes for _ in change.transfers()):
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
        ("payments, or changes of them", books.money_of_key.keys() - done),
        ("charges or credits", books.adjustments_of_key.keys() - done),
        ("attributions", books.attributions.keys() - done),
        ("search terms", books.terms.keys() - known),
    ):
        if strange:
            yield f"{name} of no known origin: {strange}"
