"""The audit: whatever somebody does to the books behind everybody's back, it is noticed."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from owed.engine.pending import Reply
from owed.model.adjustment import Charge
from owed.model.answer import Answer
from owed.model.bill import Bill
from owed.model.billing_object import BillingObject
from owed.model.customer import Customer
from owed.model.payment import Payment
from owed.model.taken_back import Refund
from owed.simulation import loop
from owed.simulation.steps import Ask, Verb
from owed.simulation.world import WatchedStore, World
from owed.store.memory import Tables

Asked = tuple[Verb, str, str, dict[str, Any]]
"""A verb, a kind of object, the name in the path, and the members in the body."""


def creation(kind: str, **members: Any) -> Asked:
    return Verb.CREATE, kind, "", {"currency": "ZAR", **members}


def payment(amount: int, **target: str) -> Asked:
    return Verb.PAY, "payment", "", {"currency": "ZAR", "applications": [{**target, "amount": amount}]}


def in_turn(*asked: Asked) -> list[Ask]:
    """Have a client ask for one thing after the other."""
    return [
        Ask(number=number, tenant=1, verb=verb, kind=kind, name=name, members=members, key=number, after=1.0)
        for number, (verb, kind, name, members) in enumerate(asked, start=1)
    ]


STEPS = in_turn(
    creation("customer", external_reference="c1", balance=5),
    creation("account", external_reference="a1", customer="c1"),
    creation("bill", external_reference="b1", customer="c1", amount_due=20),
    payment(7, bill="b1"),
    payment(2, account="a1"),
    (Verb.REFUND, "payment", "#4", {"amount": 3}),
    payment(4, bill="b1"),
    (Verb.CHARGE, "customer", "c1", {"amount": 2}),
    (Verb.CREDIT, "bill", "b1", {"amount": 3, "type": "discount"}),
    (Verb.UNDO, "customer", "c1", {"charge": "#8"}),
    payment(1, bill="b1"),
)


def after_a_life(work: Callable[[World], None]) -> list[str]:
    """Let a world live, do something to it, and have it audited again."""

    async def live() -> list[str]:
        world = World("1", WatchedStore)
        assert (await world.live(STEPS)).faults == ()
        work(world)
        world.audit.look()
        return world.audit.faults

    return loop.run(live())


def last(rows: dict[Any, Any], kind: type[Any] = object) -> Any:
    """Give the key of the last row of a kind."""
    return [key for key, row in rows.items() if isinstance(row, kind)][-1]


def put(rows: dict[Any, Any], key: Any, **members: Any) -> None:
    """Write other members over those of a row."""
    rows[key] = msgspec.structs.replace(rows[key], **members)


def paid_bill(tables: Tables) -> Any:
    return next(key for key, row in tables.objects.items() if isinstance(row, Bill) and row.amount_received)


def owing(tables: Tables, **members: Any) -> None:
    """Change what is kept of a bill's obligation."""
    key = paid_bill(tables)
    bill = tables.objects[key]
    assert isinstance(bill, BillingObject)
    put(tables.objects, key, obligation=msgspec.structs.replace(bill.obligation, **members))


def take_an_application_back(tables: Tables) -> None:
    key = last(tables.objects, Payment)
    payment = tables.objects[key]
    assert isinstance(payment, Payment)
    first, *others = payment.applications
    put(tables.objects, key, applications=(msgspec.structs.replace(first, taken_back=1), *others))


def copy_bill(tables: Tables) -> None:
    kind, tenant_id, _ = key = last(tables.objects, Bill)
    bill = tables.objects[key]
    assert isinstance(bill, Bill)
    tables.objects[kind, tenant_id, "bill_copy"] = msgspec.structs.replace(bill, id="bill_copy")


def do_it_again(tables: Tables) -> None:
    tenant_id, words_id = last(tables.attributions)
    tables.attributions[tenant_id, "att_again"] = tables.attributions[tenant_id, words_id]


def move_to_another_tenant(tables: Tables) -> None:
    key = last(tables.transfers)
    put(tables.transfers, key, tenant_id=4)


DEEDS: dict[str, Callable[[Tables], Any]] = {
    "a transfer is changed": lambda tables: put(tables.transfers, last(tables.transfers), amount=1_000_000),
    "a transfer has another account": lambda tables: put(tables.transfers, last(tables.transfers), debit="billed"),
    "a transfer goes to another tenant": move_to_another_tenant,
    "the last transfer is gone": lambda tables: tables.transfers.popitem(),
    "the last event is gone": lambda tables: tables.events.popitem(),
    "the last words are gone": lambda tables: tables.attributions.popitem(),
    "an event tells something else": lambda tables: put(tables.events, last(tables.events), body=b"{}"),
    "an object is gone": lambda tables: tables.objects.pop(last(tables.objects, Bill)),
    "a name is changed, and nobody tells": lambda tables: put(tables.objects, last(tables.objects, Customer), name="X"),
    "a bill is paid by nobody": lambda tables: put(tables.objects, paid_bill(tables), amount_paid=19),
    "a bill has received too little": lambda tables: put(tables.objects, paid_bill(tables), amount_received=0),
    "a bill skips a version": lambda tables: put(tables.objects, paid_bill(tables), version=1_000),
    "a bill skips an event": lambda tables: put(tables.objects, paid_bill(tables), event_sequence=1_000),
    "a bill belongs to nobody": lambda tables: put(tables.objects, paid_bill(tables), customer_id="bcus_none"),
    "a bill owes more": lambda tables: owing(tables, total=1_000_000),
    "a bill has another hash": lambda tables: owing(tables, hash=b"other"),
    "a bill has lost a transfer": lambda tables: owing(tables, version=1),
    "two bills have one reference": copy_bill,
    "a payment is larger": lambda tables: put(tables.objects, last(tables.objects, Payment), amount=1_000_000),
    "a payment has been refunded": lambda tables: put(tables.objects, last(tables.objects, Payment), amount_refunded=1),
    "an application is taken back": take_an_application_back,
    "a payment skips a version": lambda tables: put(tables.objects, last(tables.objects, Payment), version=9),
    "a refund is larger": lambda tables: put(tables.objects, last(tables.objects, Refund), amount=1_000_000),
    "a bill was credited less": lambda tables: put(tables.objects, paid_bill(tables), amount_credited=0),
    "a charge is larger": lambda tables: put(tables.objects, last(tables.objects, Charge), amount=1_000_000),
    "a charge was never reversed": lambda tables: put(tables.objects, last(tables.objects, Charge), reversed_at=None),
    "a request is done again": do_it_again,
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_what_is_done_behind_everybodys_back_is_noticed(deed: Callable[[Tables], Any]) -> None:
    assert after_a_life(lambda world: deed(world.store.tables)) != []


def test_where_nothing_is_done_nothing_is_noticed() -> None:
    assert after_a_life(lambda world: None) == []


DONE = STEPS[0]
UNDONE = Ask(number=1_000, tenant=1, verb=Verb.PAY, kind="payment", key=1_000)
FREE = msgspec.structs.replace(UNDONE, key=None)

ANSWERS: dict[str, tuple[Ask, Reply]] = {
    "a bug": (DONE, Reply(Answer(500, b"{}"))),
    "another answer than before": (DONE, Reply(Answer(201, b'{"id":"bcus_other"}'), kept=True)),
    "a refusal of what was done": (DONE, Reply(Answer(409, b"{}"), kept=True)),
    "that it was done, when it was not": (UNDONE, Reply(Answer(201, b'{"id":"pay_none"}'), kept=True)),
    "something that is not there": (FREE, Reply(Answer(201, b'{"id":"pay_none"}'))),
}


@pytest.mark.parametrize(("ask", "reply"), ANSWERS.values(), ids=ANSWERS)
def test_a_client_that_is_told_what_is_not_so_is_noticed(ask: Ask, reply: Reply) -> None:
    def answer(world: World) -> None:
        if ask is not DONE:
            world.audit.effects.send(ask)
        world.audit.answered(ask, reply)

    assert after_a_life(answer) != []
