"""Payments through the engine: each lands once, on what stands, whatever happens to the batch that it is in."""

import asyncio
from typing import Any

import msgspec
import pytest

from owed.core.command import Command
from owed.core.journal import Journal
from owed.core.outcomes import Code, Outcome
from owed.core.payments import Pay
from owed.core.state import State
from owed.engine import attempts
from owed.engine.engine import Limits
from owed.engine.store import Conflict, Unavailable
from owed.model.bill import Bill
from owed.model.payment import Payment
from owed.store.memory import MemoryStore
from tests.core.samples import create, create_bill, pay, pay_many, refund, refuse_broken, reverse
from tests.engine.desk import DONE, Desk, opened, words
from tests.engine.stores import ForgetfulStore, GatedStore, ScriptedStore

TAKES = pytest.mark.parametrize("take", [refund, reverse])


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait between attempts no longer than it takes to see it."""
    monkeypatch.setattr(attempts, "PAUSES", (0.0,) * 5)
    monkeypatch.setattr(attempts, "RETRY_ASIDE", 0.005)


class BrokenPay(Pay, frozen=True, kw_only=True):
    """A payment with a bug: it applies everything, and raises then."""

    def decide(self, state: State, journal: Journal) -> Outcome:
        super().decide(state, journal)
        raise ZeroDivisionError


async def billed(desk: Desk, bills: int = 1) -> None:
    """Make a customer with a balance and with so many bills."""
    await desk.ask(create("c", currency="ZAR", balance=500))
    await desk.say(*(create_bill(f"b{number}", customer="c") for number in range(bills)))


def bill_in(store: MemoryStore, reference: str = "b0") -> Bill:
    (bill,) = [
        it for it in store.tables.objects.values() if isinstance(it, Bill) and it.external_reference == reference
    ]
    refuse_broken(it for it in store.tables.transfers.values() if it.obligation_id == bill.id)
    return bill


def payments_in(store: MemoryStore) -> list[Payment]:
    return [item for item in store.tables.objects.values() if isinstance(item, Payment)]


# In one batch


async def test_of_a_hundred_full_payments_of_one_bill_one_pays_it() -> None:
    store = MemoryStore()
    async with opened(store) as desk:
        await billed(desk)
        replies = await desk.say(*[pay("b0")] * 100)

    assert sorted(replies) == sorted([DONE, *[Code.PAYMENT_REFUSED] * 99])
    bill = bill_in(store)
    assert (bill.amount_paid, bill.version, len(payments_in(store))) == (1000, 2, 1)


async def test_a_payment_with_a_bug_has_paid_nothing_and_the_others_in_its_batch_never_notice() -> None:
    store = MemoryStore()
    async with opened(store) as desk:
        await billed(desk, bills=2)
        broken = BrokenPay(**msgspec.structs.asdict(pay_many(("bill", "b0", 1000), ("bill", "b1", 1000))))
        replies = await desk.say(pay("b0", 400), broken, pay("b0", 600), pay("b1", 1))

        assert (replies, desk.batch_sizes[-1]) == ([DONE, Code.INTERNAL_ERROR, DONE, DONE], 4)
    assert [bill_in(store, name).amount_paid for name in ("b0", "b1")] == [1000, 1]
    assert sorted(payment.amount for payment in payments_in(store)) == [1, 400, 600]


@TAKES
async def test_what_is_paid_and_taken_back_in_one_batch_stands_as_if_in_many(take: Any) -> None:
    stores = MemoryStore(), MemoryStore()
    commands = [
        pay("b0", 400, external_reference="R1"),
        take("R1", amount=100, external_reference="T1"),
        take("R1"),
        pay("b0", 1000),
    ]
    async with opened(stores[0]) as one, opened(stores[1]) as other:
        for desk in (one, other):
            await billed(desk)
        assert await one.say(*commands) == [DONE] * 4
        assert words([await other.ask(command) for command in commands]) == [DONE] * 4
        assert (one.batch_sizes[-1], other.batch_sizes[-4:]) == (4, [1] * 4)

    stood = [bill_in(store) for store in stores]
    assert [(bill.amount_paid, bill.amount_received, bill.version, bill.event_sequence) for bill in stood] == [
        (1000, 1000, 5, 6)
    ] * 2


# Lost races


async def test_of_two_workers_one_pays_a_bill_and_the_other_hears_that_it_is_paid() -> None:
    store = GatedStore()
    store.gate.set()
    async with opened(store) as one, opened(store) as other:
        await billed(one)
        store.gate.clear()
        tasks = [desk.hand_in(pay("b0")) for desk in (one, other)]
        await store.arrived(2)
        store.gate.set()
        replies = words(await asyncio.gather(*tasks))

    assert sorted(replies) == sorted([DONE, Code.PAYMENT_REFUSED])
    assert (bill_in(store).amount_paid, len(payments_in(store))) == (1000, 1)


async def test_payments_of_one_balance_all_land_whichever_worker_they_come_to() -> None:
    store = MemoryStore()
    async with opened(store, Limits(batch=7)) as one, opened(store, Limits(batch=7)) as other:
        await billed(one)
        commands = [pay("c", amount, kind="customer", external_reference=f"R{amount}") for amount in range(1, 31)]
        replies = await asyncio.gather(*(desk.ask(it) for it, desk in zip(commands, (one, other) * 15, strict=True)))
        assert words(replies) == [DONE] * 30
        takes = [take(f"R{amount}", amount=1) for amount in range(2, 31) for take in (refund, reverse)]
        replies = await asyncio.gather(*(desk.ask(it) for it, desk in zip(takes, (one, other) * 29, strict=True)))
        assert words(replies) == [DONE] * 58

    (customer,) = [it for it in store.tables.objects.values() if it.kind == "customer"]
    transfers = [it for it in store.tables.transfers.values() if it.obligation_id == customer.id]
    refuse_broken(transfers)
    assert transfers[-1].total_after == 500 - sum(range(1, 31)) + 58


async def test_a_payment_that_is_decided_again_has_happened_once() -> None:
    store = ScriptedStore()
    async with opened(store) as desk:
        await billed(desk)
        store.script = [Conflict(), Conflict()]
        reply = await desk.ask(pay("b0", 400, external_reference="R1"), "k")

    (payment,) = payments_in(store)
    assert (bill_in(store).amount_paid, payment.id.encode() in reply.answer.body) == (400, True)
    assert len({writing.state.payments.created()[0].id for writing in store.tried[-3:]}) == 3


# Retries


@TAKES
async def test_a_retry_with_the_same_key_pays_once_and_takes_back_once(take: Any) -> None:
    store = MemoryStore()
    async with opened(store) as desk:
        await billed(desk)
        for command in (pay("b0", 400, external_reference="R1"), take("R1", amount=100)):
            first, *again = [await desk.ask(command, type(command).__name__) for _ in range(3)]

            assert [reply.replayed for reply in again] == [True, True]
            assert {reply.answer for reply in again} == {first.answer}

    assert bill_in(store).amount_paid == 300


async def test_a_refusal_is_kept_under_its_key_though_the_bill_could_be_paid_by_now() -> None:
    """Section 1.4: every outcome that was decided is kept, 404, 409 and 422 too."""
    refused: list[tuple[Command, Code]] = [
        (pay("b0", 601), Code.PAYMENT_REFUSED),
        (pay("b0", 1, external_reference="R1"), Code.CONFLICT),
        (pay("b1", 1), Code.NOT_FOUND),
        (refund("R2"), Code.PAYMENT_NOT_FOUND),
        (refund("R1", amount=401), Code.CONFLICT),
    ]
    async with opened(MemoryStore()) as desk:
        await billed(desk)
        await desk.ask(pay("b0", 400, external_reference="R1"))
        kept = [await desk.ask(command, f"k{number}") for number, (command, _) in enumerate(refused)]
        assert words(kept) == [code for _, code in refused]
        await desk.say(refund("R1"), create_bill("b1", customer="c"), pay("b1", 1, external_reference="R2"))

        again = [await desk.ask(command, f"k{number}") for number, (command, _) in enumerate(refused)]
        assert [(reply.answer, reply.replayed) for reply in again] == [(reply.answer, True) for reply in kept]


async def test_where_the_outcome_is_unknown_a_retry_with_the_same_key_finds_the_payment() -> None:
    store = ForgetfulStore()
    store.asked = True
    async with opened(store) as desk:
        await billed(desk)
        store.asked = False
        first = await desk.ask(pay("b0", 400), "k")
        again = await desk.ask(pay("b0", 400), "k")

    assert (words([first, again]), again.replayed) == ([Code.UNAVAILABLE, DONE], True)
    assert (bill_in(store).amount_paid, len(payments_in(store))) == (400, 1)


async def test_a_payment_that_was_never_saved_is_made_by_the_retry() -> None:
    store = ScriptedStore()
    async with opened(store) as desk:
        await billed(desk)
        store.script = [Unavailable()]
        replies = [await desk.ask(pay("b0", 400), "k") for _ in range(2)]

    assert (words(replies), replies[1].replayed) == ([Code.UNAVAILABLE, DONE], False)
    assert (bill_in(store).amount_paid, len(payments_in(store))) == (400, 1)


# References


async def test_a_reference_that_is_taken_is_told_before_the_rules_though_nobody_had_looked() -> None:
    """The first attempt does not look for what a command claims: where the rules refuse, it is done again."""
    store = MemoryStore()
    async with opened(store) as desk:
        await billed(desk)
        first = await desk.ask(pay("b0", external_reference="R1", channel="eft"))
        again = await desk.ask(pay("b0", external_reference="R1", channel="eft"))
        elsewhere = await desk.ask(pay("b0", external_reference="R1", channel="card"))

    (payment,) = payments_in(store)
    assert words([first, again, elsewhere]) == [DONE, Code.CONFLICT, Code.PAYMENT_REFUSED]
    assert payment.id.encode() in again.answer.body
