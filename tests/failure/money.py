"""The audit of money: what was paid, refunded, reversed, allocated and moved, against what was asked."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from owed.model.obligation import Obligation
from owed.model.payment import Application, Payment, RuleBreach
from owed.model.reallocation import Allocation, Move
from owed.model.taken_back import TakenBack
from owed.model.transfer import Cause, Transfer
from tests.contract.client import Json
from tests.failure.books import Books
from tests.failure.refusals import fitting, refused_by, targets, unallocated_in
from tests.failure.writes import Write
from tests.properties.promises import Change, Money, grouped, raised_by

GIVEN = ("amount", "currency", "external_reference", "channel", "paid_at", "reason")
"""Members that are shown as they were asked for."""

NOT_FOUND = "not_found"

Part = tuple[str, str, int]
"""What a payment, or a change of it, does on an object: ids of object and application, and by how much more is owed."""


def faults_of_effect(books: Books, write: Write, *, is_done: bool) -> Iterator[str]:
    """A write has made what it asked for, told of each part once, and moved each part once; or nothing of that."""
    items = books.money_of_key.get(write.key, [])
    if [item.kind for item in items] != [write.kind] * is_done:
        yield f"is on record as {items}"
    parts = sorted(part for item in items for part in parts_of(item))
    if parts != (told := sorted(map(part_told, books.changes_of_key.get(write.key, [])))):
        yield f"has the parts {parts}, and events of {told}"
    for item in items:
        yield from faults_of_transfers(item, books.transfers_of_money.get(item.id, []))
        yield from faults_of_members(books, write, item)
        yield from FAULTS_OF[item.kind](books, write, item)


def faults_of_transfers(item: Money, transfers: list[Transfer]) -> Iterator[str]:
    """Each part has its transfer, and so has what is applied to nothing; beside what is passed on there are no more."""
    payment_id = payment_of(item)
    wanted = [(object_id, amount) for object_id, _, amount in parts_of(item)]
    if set_aside := put_in(item) - sum(amount for _, amount in wanted):
        wanted.append((payment_id, set_aside))
    moved = [(each.obligation_id, each.amount) for each in transfers if each.cause is not Cause.PASSED_ON]
    if sorted(moved) != sorted(wanted) or {each.payment_id for each in transfers} != {payment_id}:
        yield f"has made {item}, with the transfers {transfers}"


def faults_of_payment(books: Books, write: Write, payment: Payment) -> Iterator[str]:
    """A payment is applied as it was asked, part by part; one of money that is here already as far as each takes it."""
    if write.fields.get("received"):
        yield from faults_of_received(books, write, payment)
        return
    asked = [(kind, books.by_name[kind, name].id, amount) for kind, name, amount in targets(write)]
    if asked != [(each.kind, each.object_id, each.amount) for each in made_with(payment)]:
        yield f"asked for {asked}, was applied as {payment.applications}"


def faults_of_received(books: Books, write: Write, payment: Payment) -> Iterator[str]:
    """Each target took what it could, and the payment says of each what a plain one would have been refused for."""
    applied = {each.object_id: each.amount for each in made_with(payment)}
    stood = {change.after["id"]: [change.before or {}] for change in books.changes_of_key.get(write.key, [])}
    told = grouped(payment.rule_breaches, lambda each: (each.kind, each.object_id or each.name))
    for kind, name, amount in targets(write):
        item = books.by_name.get((kind, name))
        object_id = item.id if item else name
        before = (stood.get(item.id) or [each.after for each in books.changes[item.id]]) if item else []
        ways = [as_received(each, amount, payment.currency) for each in before] or [(0, [(NOT_FOUND, amount)])]
        breaches = [(each.rule, each.amount) for each in told.pop((kind, object_id), [])]
        if (applied.get(object_id, 0), breaches) not in ways:
            yield f"has made {payment}, of which {kind} {name} should take, and tell, one of {ways}"
    yield from faults_of_owner(books, write, payment, told)


def as_received(shown: Json, amount: int, currency: str) -> tuple[int, list[tuple[str, int]]]:
    """Give what an object that is shown so takes of an amount, and the payment rules that this breaks."""
    return min(amount, fitting(shown, currency)), [(rule, amount) for rule in refused_by(shown, amount, currency)]


def faults_of_owner(books: Books, write: Write, payment: Payment, told: dict[Any, list[RuleBreach]]) -> Iterator[str]:
    """What fits nowhere is of whom the request says; the payment tells of a customer who is not there, and no more."""
    owner = owner_at_first(books, write, payment)
    if owner and owner != payment.unallocated_customer_id:
        yield f"has made {payment}, whose rest is of {owner}"
    name = owner_named(write)
    is_absent = name is not None and ("customer", name) not in books.by_name
    absent = {("customer", name): [(NOT_FOUND, rest_of(payment))]} if is_absent else {}
    if {whose: [(each.rule, each.amount) for each in breaches] for whose, breaches in told.items()} != absent:
        yield f"has made {payment}, which tells of {told}"


def owner_named(write: Write) -> str | None:
    """Give what the request of a payment calls the customer whose the rest is; None where it names none."""
    is_beside = not {"bill", "account", "applications"}.isdisjoint(write.fields)
    return write.fields.get("customer") if is_beside else None


def owner_at_first(books: Books, write: Write, payment: Payment) -> str | None:
    """Give the id of whom what fits nowhere is, by the request of a payment."""
    if not write.fields.get("received"):
        return None
    if owner := books.by_name.get(("customer", owner_named(write) or "")):
        return owner.id
    found = [item for kind, name, _ in targets(write) if (item := books.by_name.get((kind, name)))]
    return (*found[0].owners, found[0].id)[0] if found and rest_of(payment) else None


def faults_of_taking_back(books: Books, write: Write, taken_back: TakenBack) -> Iterator[str]:
    """A refund or reversal takes what was asked: of what is applied to nothing first, and then of the newest."""
    payment = books.payments[taken_back.payment_id]
    if write.name not in {payment.id, payment.external_reference}:
        yield f"takes back {payment}"
    if not {"amount", "applications"} & write.fields.keys() and payment.held:
        yield f"took all that was left of {payment}"
    shares = [{"id": share.id, "amount": share.amount} for share in taken_back.applications]
    if "applications" in write.fields:
        if shares != write.fields["applications"] or taken_back.amount_unallocated:
            yield f"asked for {write.fields['applications']}, took {taken_back}"
    elif shares and (any(each.held for each in newer(payment, taken_back)) or leaves_some(books, taken_back)):
        yield f"took {shares}, and not what is applied to nothing, and then the newest, of {payment} first"


def newer(payment: Payment, taken_back: TakenBack) -> tuple[Application, ...]:
    """Give those of the applications that were there from the first after the oldest that something was taken of."""
    taken = {share.id for share in taken_back.applications}
    oldest = next(place for place, each in enumerate(payment.applications) if each.id in taken)
    return made_with(payment)[oldest + 1 :]


def leaves_some(books: Books, taken_back: TakenBack) -> bool:
    """Tell whether something was still applied to nothing when applications were taken back."""
    payment = books.payments[taken_back.payment_id]
    after = [each.total_after for each in books.chains.get(payment.id, []) if each.taken_back_id == taken_back.id]
    return any(after) if after else 0 not in unallocated_in(books, payment)


def faults_of_allocation(books: Books, write: Write, allocation: Allocation) -> Iterator[str]:
    """An allocation applies what was asked, or all that there is and that fits."""
    before = {change.after["id"]: change.before or {} for change in books.changes_of_key[write.key]}
    asked = [(books.by_name[kind, name].id, amount) for kind, name, amount in targets(write)]
    if "applications" not in write.fields and "amount" not in write.fields:
        left = -next(
            each.total_after for each in books.chains[allocation.payment_id] if each.document_id == allocation.id
        )
        fits = fitting(before[asked[0][0]], allocation.currency)
        asked = [(asked[0][0], min(left + allocation.amount, fits))]
    made = [(each.object_id, each.amount) for each in allocation.applications]
    if asked != made or write.name != allocation.payment_id:
        yield f"asked for {asked}, and made {allocation}"


def faults_of_move(books: Books, write: Write, move: Move) -> Iterator[str]:
    """A move takes what was asked from the one to the other, or all that was left."""
    asked = [(books.by_name[kind, name].id, move.amount) for kind, name, _ in targets(write)]
    if asked != [(each.object_id, each.amount) for each in move.applications] or move.origin.amount != move.amount:
        yield f"asked for {asked}, and made {move}"
    (of,) = (each for each in books.payments[move.payment_id].applications if each.id == move.origin.id)
    if write.fields["application"] != of.id or ("amount" not in write.fields and of.held):
        yield f"asked for {write.fields}, and left {of}"


FAULTS_OF: dict[str, Callable[[Books, Write, Any], Iterator[str]]] = {
    "payment": faults_of_payment,
    "refund": faults_of_taking_back,
    "reversal": faults_of_taking_back,
    "allocation": faults_of_allocation,
    "move": faults_of_move,
}


def faults_of_members(books: Books, write: Write, item: Money) -> Iterator[str]:
    """What was given is shown."""
    shown, given = as_made(books, write, item), {name: value for name, value in write.fields.items() if name in GIVEN}
    if not given.items() <= {name: shown.get(name) for name in GIVEN}.items():
        yield f"asked for {given}, made {shown}"


def as_made(books: Books, write: Write, item: Money) -> Json:
    """Give what is shown of a payment, or of a change of one, when it is made: nothing has changed it since."""
    if isinstance(item, Payment):
        item = msgspec.structs.replace(
            item,
            amount_refunded=0,
            amount_reversed=0,
            last_taken_back=None,
            applications=tuple(msgspec.structs.replace(each, taken_back=0) for each in made_with(item)),
            unallocated=Obligation(total=-rest_of(item)),
            unallocated_customer_id=owner_at_first(books, write, item),
        )
    shown: Json = msgspec.to_builtins(item.shown())
    return shown


def made_with(payment: Payment) -> tuple[Application, ...]:
    """Give the applications that were there from the first."""
    return tuple(each for each in payment.applications if each.document_id is None)


def rest_of(payment: Payment) -> int:
    """Give what of a payment was applied to nothing at first."""
    return payment.amount - sum(each.amount for each in made_with(payment))


def payment_of(item: Money) -> str:
    return item.id if isinstance(item, Payment) else item.payment_id


def parts_of(item: Money) -> Iterator[Part]:
    """Yield what a payment, or a change of one, did on objects."""
    if isinstance(item, Move):
        yield item.origin.object_id, item.origin.id, item.origin.amount
    sign = 1 if isinstance(item, TakenBack) else -1
    made = made_with(item) if isinstance(item, Payment) else item.applications
    yield from ((each.object_id, each.id, sign * each.amount) for each in made)


def put_in(item: Money) -> int:
    """Give by how much more is owed on all objects, and on the payment, taken together."""
    if isinstance(item, TakenBack):
        return item.amount
    return -item.amount if isinstance(item, Payment) else 0


def part_told(change: Change) -> Part:
    """Give what an event told of a payment, or of a change of one, on an object."""
    moved = change.moved or {"id": "", "amount": 0}
    return change.after["id"], moved["id"], raised_by(moved)
