"""Payments and what takes them back, as a store keeps them: every column, every name, every race."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from owed.core.command import Command
from owed.core.outcomes import Code
from owed.core.state import Name, State
from owed.engine.attempts import UNREACHABLE
from owed.engine.pending import Reply
from owed.engine.store import LOCK_WAIT, Blocked, Conflict, Store, Writing
from owed.model.payment import Application, Payment
from owed.model.payment_document import Share
from owed.store.failures import errors_seen
from owed.store.lookups import Lookups
from owed.store.objects import OBJECTS
from owed.store.postgres import PostgresStore
from tests.core.samples import (
    JANE,
    NOW,
    SECOND,
    Stamps,
    create,
    create_account,
    create_bill,
    pay,
    pay_many,
    refund,
    refuse_broken,
    reverse,
    update_bill,
)
from tests.engine.desk import DONE, Desk, render, word, words
from tests.store.metering import Meter, load
from tests.store.reading import read_events, read_object, read_objects, read_transfers
from tests.store.relay import Fate, relayed
from tests.store.saving import SOON, Open, carried_out, created, named, standing
from tests.store.workers import blocked_backends, pooled, rows, session, worker

YESTERDAY = NOW - timedelta(days=1)
MANY = (("bill", "b1", 300), ("account", "a", 200), ("customer", "c", 100))
WHOLE_PAYMENT: dict[str, Any] = {
    "external_reference": "whole",
    "channel": "eft",
    "method": "debit_order",
    "provider_reference": "No 7/é",
    "metadata": {"k": "v", "é": ""},
    "paid_at": YESTERDAY,
    "actor": JANE,
}
WHOLE_TAKE: dict[str, Any] = {"external_reference": "whole", "metadata": {"k": "v"}, "occurred_at": YESTERDAY}
KINDS = ["payment", "refund", "reversal"]


def owing(tenant: int) -> list[Command]:
    """Give what makes a customer and an account of his, who owe 500 each, and two bills of 1000."""
    return of(
        tenant,
        create("c", currency="ZAR", balance=500),
        create_account("a", customer="c", currency="ZAR", balance=500),
        create_bill("b1", customer="c"),
        create_bill("b2", account="a"),
    )


def paying(tenant: int) -> list[Command]:
    """Give payments, refunds and reversals with all of their members, and with none."""
    return of(
        tenant,
        pay_many(*MANY, **WHOLE_PAYMENT),
        pay("b2", 400),
        pay("b1", 100, external_reference="bare"),
        refund("whole", amount=150, reason="paid twice", **WHOLE_TAKE),
        refund("bare", amount=1),
        reverse("whole", amount=150, **WHOLE_TAKE),
        reverse("bare", amount=2, reason=None),
    )


def of(tenant: int, *commands: Any) -> list[Any]:
    """Give commands as a tenant's."""
    return [msgspec.structs.replace(command, tenant_id=tenant) for command in commands]


def later(state: State, *commands: Command, seconds: int = 1) -> Writing:
    """Carry commands out on a state, so many seconds after all else: what they make is newer."""
    return carried_out(state, *commands, stamps=Stamps(seconds + 100, NOW + seconds * SECOND))


async def write_all(store: Store, tenant: int) -> Writing:
    writing = carried_out(State(), *owing(tenant), *paying(tenant))
    await store.write(writing)
    return writing


async def held_state(store: Store, names: list[Name], lock_wait: float = LOCK_WAIT) -> State:
    """Read objects under their locks."""
    async with store.held(names, {}, lock_wait) as held:
        return held.state


async def billed(desk: Desk, tenant: int, bills: int) -> None:
    """Make a customer with so many bills."""
    await desk.say(create("c", tenant=tenant))
    await desk.say(*of(tenant, *(create_bill(f"x{number:02}", customer="c") for number in range(bills))))


# Every column, and every name


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_written_is_read_by_all_of_its_names(opened: Open, tenant: int, kind: str) -> None:
    async with opened() as store:
        made = [item for item in created(await write_all(store, tenant)) if item.kind == kind]

        assert len(made) == (3 if kind == "payment" else 2)
        for item in made:
            for name in (item.id, *item.names):
                assert await standing(store, tenant, name, kind) == item
                state = await held_state(store, named(tenant, name, kind=kind))
                assert state.shelves[kind].find(tenant, name) == item
                assert await standing(store, tenant + 10_000, name, kind) is None


async def test_each_column_holds_what_was_given_and_nothing_where_nothing_was(dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        await write_all(PostgresStore(pool, dsn), tenant)

        async def columns(table: str, reference: str, *names: str) -> list[Any]:
            sql = (
                f"SELECT {', '.join(names)} FROM {table} WHERE tenant_id = $1 AND coalesce(external_reference, '') = $2"
            )
            (row,) = await psql.fetch(sql, tenant, reference)
            return [*row]

        plain = ["channel", "method", "provider_reference", "metadata::jsonb", "paid_at"]
        given = ["eft", "debit_order", "No 7/é", '{"k": "v", "é": ""}', YESTERDAY]
        assert await columns("payment", "whole", *plain) == given
        assert await columns("payment", "bare", *plain) == [None, None, None, None, NOW]
        money = ["amount", "currency", "amount_refunded", "amount_reversed", "last_taken_back", "version"]
        assert await columns("payment", "whole", *money) == [600, "ZAR", 150, 150, "reversal", 3]
        assert await columns("payment", "", *money) == [400, "ZAR", 0, 0, None, 1]
        taken = ["amount", "currency", "reason", "metadata::jsonb", "occurred_at", "created_at"]
        for table, amount, reason in (("refund", 1, "paid twice"), ("reversal", 2, "dishonoured")):
            assert await columns(table, "whole", *taken) == [150, "ZAR", reason, '{"k": "v"}', YESTERDAY, NOW]
            assert await columns(table, "", *taken) == [amount, "ZAR", None, None, NOW, NOW]


async def test_the_parts_of_a_payment_are_kept_in_their_order(dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        await write_all(PostgresStore(pool, dsn), tenant)

        payment: Payment = await read_object(psql, "payment", tenant, "whole")
        ids = {
            kind: (await read_object(psql, kind, tenant, name)).id
            for kind, name in (("bill", "b1"), ("account", "a"), ("customer", "c"))
        }
        expected = [
            ("bill", 300, (ids["customer"],), 0),
            ("account", 200, (ids["customer"],), 200),
            ("customer", 100, (), 100),
        ]
        assert list(payment.applications) == [
            Application(id=each.id, kind=kind, object_id=ids[kind], amount=amount, owners=owners, taken_back=taken_back)
            for each, (kind, amount, owners, taken_back) in zip(payment.applications, expected, strict=True)
        ]
        refunded = await read_object(psql, "refund", tenant, "whole")
        customer, account = reversed(payment.applications[1:])
        assert refunded.applications == (
            Share(id=customer.id, kind="customer", object_id=ids["customer"], amount=100),
            Share(id=account.id, kind="account", object_id=ids["account"], amount=50),
        )


@pytest.mark.parametrize("take", [refund, reverse])
async def test_a_payment_that_is_taken_back_is_read_as_it_stands_then(opened: Open, tenant: int, take: Any) -> None:
    async with opened() as store:
        await write_all(store, tenant)
        before = await standing(store, tenant, "whole", "payment")
        for number in (1, 2):
            state = await store.read(named(tenant, "whole", kind="payment"))
            await store.write(later(state, take("whole", amount=1, tenant=tenant), seconds=number))

            ((_, after),) = state.payments.changed()
            assert (after.version, after.updated_at) == (before.version + number, NOW + number * SECOND)
            assert await standing(store, tenant, "whole", "payment") == after


async def test_what_payments_hold_of_a_bill_is_kept_with_it(opened: Open, tenant: int) -> None:
    async with opened() as store:
        await write_all(store, tenant)
        state = await store.read(named(tenant, "b1", kind="bill"))
        await store.write(later(state, update_bill("b1", amount_paid=500, tenant=tenant)))

        bill = await standing(store, tenant, "b1", "bill")
        assert (bill.amount_paid, bill.amount_received) == (500, 397)


async def test_a_transfer_is_kept_with_its_payment_and_what_took_it_back(dsn: str, tenant: int) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        writing = await write_all(PostgresStore(pool, dsn), tenant)
        kept = await read_transfers(psql, tenant)

        assert kept == sorted(writing.state.transfers, key=lambda it: (it.obligation_id, it.version))
        of_payments = [transfer for transfer in kept if transfer.payment_id is not None]
        assert len(of_payments) == 10
        assert sum(transfer.taken_back_id is not None for transfer in of_payments) == 5
        for obligation in {transfer.obligation_id for transfer in kept}:
            refuse_broken(transfer for transfer in kept if transfer.obligation_id == obligation)


# Names


async def test_a_reference_is_kept_once_for_each_channel_and_alone_stands_for_the_newest(
    opened: Open, tenant: int
) -> None:
    """The newest by its id, though another may be written after it."""
    seconds = {"b": 1, None: 3, "a": 2}
    async with opened() as store:
        await store.write(carried_out(State(), *owing(tenant)))
        for channel, second in seconds.items():
            state = await store.read(named(tenant, "b1", kind="bill"))
            command = pay("b1", 1, external_reference="R1", channel=channel, tenant=tenant)
            await store.write(later(state, command, seconds=second))

        found = {
            name: (
                await standing(store, tenant, name, "payment"),
                (await held_state(store, named(tenant, name, kind="payment"))).payments.find(tenant, name),
            )
            for name in ("b:R1", ":R1", "a:R1", "R1")
        }
        assert [found[name][0].channel for name in found] == ["b", None, "a", None]
        assert all(read == held for read, held in found.values())


async def test_an_id_is_tried_before_the_reference_of_another(opened: Open, tenant: int) -> None:
    async with opened() as store:
        first = carried_out(State(), *owing(tenant), pay("b1", 1, tenant=tenant))
        await store.write(first)
        (payment,) = first.state.payments.created()
        state = await store.read(named(tenant, "b1", kind="bill"))
        await store.write(later(state, pay("b1", 1, external_reference=payment.id, tenant=tenant)))

        assert await standing(store, tenant, payment.id, "payment") == payment
        other = await standing(store, tenant, f":{payment.id}", "payment")
        assert (other.external_reference, other.id != payment.id) == (payment.id, True)


NO_NAMES = [
    "", ":", "::", "eft:", ":nobody", "eft:nobody", "nobody", "pay_nobody", "a b", "a" * 300, "é", "\0", "\ud800",
    "eft:\0", "\0:whole", "\ud800:whole", "e ft:whole", "' OR true --:whole", "EFT:whole", f"{'e' * 5000}:whole",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_not_there_is_not_in_the_state(opened: Open, tenant: int, kind: str) -> None:
    async with opened() as store:
        writing = await write_all(store, tenant)
        others = [item.id for item in created(writing) if item.kind != kind]
        wanted = [*others, *NO_NAMES]

        state = await store.read(named(tenant, *wanted, kind=kind))
        assert [state.shelves[kind].find(tenant, name) for name in wanted] == [None] * len(wanted)


@pytest.mark.parametrize("name", NO_NAMES)
async def test_what_can_be_no_name_of_a_payment_disturbs_nobody_who_is_looked_up_beside_it(
    dsn: str, tenant: int, name: str
) -> None:
    async with pooled(dsn) as pool:
        await write_all(PostgresStore(pool, dsn), tenant)
        lookups = Lookups(pool)
        wanted = [Name("payment", tenant, name), Name("payment", tenant, "whole"), Name("bill", tenant, "b1")]

        found = await asyncio.gather(*map(lookups.find, wanted))
        assert [item and item.external_reference for item in found] == [None, "whole", "b1"]


# What a payment brings with it


@pytest.mark.parametrize("name", ["whole", "eft:whole", "id"])
async def test_a_payment_is_read_and_held_with_all_that_it_was_applied_to(opened: Open, tenant: int, name: str) -> None:
    """Or nothing could be taken back from it."""
    async with opened() as store:
        await write_all(store, tenant)
        payment = await standing(store, tenant, "whole", "payment")
        names = named(tenant, payment.id if name == "id" else name, kind="payment")

        for state in (await store.read(names), await held_state(store, names)):
            found = [state.shelves[each.kind].find(tenant, each.object_id) for each in payment.applications]
            assert [item and item.external_reference for item in found] == ["b1", "a", "c"]
            assert state.bills.find(tenant, "b2") is None


@pytest.mark.parametrize(("kind", "name"), [("bill", "b1"), ("account", "a"), ("customer", "c"), ("payment", "whole")])
async def test_a_payment_that_is_held_holds_all_that_it_was_applied_to(
    opened: Open, tenant: int, kind: str, name: str
) -> None:
    async with opened() as store:
        await write_all(store, tenant)
        async with store.held(named(tenant, "whole", kind="payment"), {}):
            with pytest.raises(Blocked):
                async with store.held(named(tenant, name, kind=kind), {}, SOON):
                    pass
            async with store.held(named(tenant, "b2", kind="bill"), {}, SOON):
                pass
        async with store.held(named(tenant, name, kind=kind), {}):
            with pytest.raises(Blocked):
                async with store.held(named(tenant, "whole", kind="payment"), {}, SOON):
                    pass


@pytest.mark.parametrize("table", ["customer", "account", "payment"])
async def test_the_rows_of_a_payment_that_is_held_are_locked_each(dsn: str, tenant: int, table: str) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        store = PostgresStore(pool, dsn)
        await write_all(store, tenant)
        sql = f"SELECT FROM {table} WHERE tenant_id = $1 FOR UPDATE NOWAIT"
        async with store.held(named(tenant, "whole", kind="payment"), {}):
            with pytest.raises(asyncpg.LockNotAvailableError):
                await psql.fetch(sql, tenant)

        await psql.fetch(sql, tenant)


@pytest.mark.parametrize(("kind", "name", "is_held"), [("account", "a", True), ("bill", "b2", False)])
async def test_a_name_that_stands_for_a_newer_payment_once_the_locks_are_there_holds_what_that_brings_or_is_a_conflict(
    dsn: str, tenant: int, kind: str, name: str, *, is_held: bool
) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql, session(dsn) as watcher:
        store = PostgresStore(pool, dsn)
        await write_all(store, tenant)
        async with psql.transaction():
            await psql.fetch("SELECT FROM customer WHERE tenant_id = $1 FOR UPDATE", tenant)
            holding = asyncio.create_task(held_state(store, named(tenant, "whole", kind="payment"), lock_wait=5.0))
            await blocked_backends(watcher)
            state = await store.read(named(tenant, name, kind=kind))
            newer = pay(name, 1, kind=kind, external_reference="whole", channel="card", tenant=tenant)
            await store.write(later(state, newer))

        if is_held:
            payment = (await holding).payments.find(tenant, "whole")
            assert payment is not None
            assert payment.channel == "card"
        else:
            with pytest.raises(Conflict):
                await holding


@pytest.mark.parametrize("kind", ["customer", "bill", "payment"])
async def test_to_hold_an_object_costs_the_same_however_many_there_are(dsn: str, tenant: int, kind: str) -> None:
    """Few buffers, by id and by reference: among 5,000 a walk of them all reads more than 150."""
    stamp, meter = Stamps(7)(), Meter(dsn)
    async with pooled(dsn) as pool, session(dsn) as psql:
        base = next(it for it in created(await write_all(PostgresStore(pool, dsn), tenant)) if it.kind == kind)
        many = [
            msgspec.structs.replace(base, id=stamp.new_id(OBJECTS[kind].prefix), external_reference=f"x{number}")
            for number in range(5000)
        ]
        await load(psql, many)

    try:
        for name in ("x77", many[99].id):
            meter.buffers = 0
            state = await held_state(PostgresStore(meter, dsn), named(tenant, name, kind=kind))
            assert state.shelves[kind].find(tenant, name) is not None
            assert meter.buffers < 60
    finally:
        await meter.close()


# What is taken


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reference_that_is_taken_is_a_conflict_and_nothing_at_all_is_saved(
    opened: Open, tenant: int, kind: str
) -> None:
    taking: dict[str, Command] = {
        "payment": pay("b1", 1, external_reference="whole", channel="eft", tenant=tenant),
        "refund": refund("bare", amount=1, external_reference="whole", tenant=tenant),
        "reversal": reverse("bare", amount=1, external_reference="whole", tenant=tenant),
    }
    async with opened() as store:
        await write_all(store, tenant)
        names = [*named(tenant, "b1", kind="bill"), *named(tenant, "bare", kind="payment")]
        late = later(await store.read(names), create("beside", tenant=tenant), taking[kind])

        with pytest.raises(Conflict):
            await store.write(late)
        with pytest.raises(Conflict):
            async with store.held([], {}) as held:
                await held.write(late)
        assert await standing(store, tenant, "beside") is None
        assert (await standing(store, tenant, "b1", "bill")).amount_received == 397


async def test_of_many_workers_one_takes_a_reference_and_the_others_hear_whose_it_is(dsn: str, tenant: int) -> None:
    async with worker(dsn) as one, worker(dsn) as other, session(dsn) as psql:
        await billed(one, tenant, bills=2)
        for number in range(20):
            commands = of(
                tenant, *(pay(bill, 1, external_reference=f"R{number}", channel="eft") for bill in ("x00", "x01"))
            )
            replies = await asyncio.gather(*(desk.ask(it) for desk, it in zip((one, other), commands, strict=True)))

            assert sorted(words(replies)) == [Code.CONFLICT, DONE]
            payment = await read_object(psql, "payment", tenant, f"R{number}")
            (refused,) = [reply for reply in replies if word(reply) != DONE]
            assert payment.id.encode() in refused.answer.body
        assert sum(bill.amount_paid for bill in await read_objects(psql, "bill", tenant)) == 20


async def test_a_file_that_is_sent_again_hears_whose_its_references_are_though_all_is_paid(
    dsn: str, tenant: int
) -> None:
    """In the first attempt nobody has looked whose they are; the rules alone would refuse."""
    file = of(tenant, *(pay(f"x{number:02}", external_reference=f"R{number}") for number in range(20)))
    async with worker(dsn) as desk:
        await billed(desk, tenant, bills=20)

        assert await desk.say(*file) == [DONE] * 20
        assert await desk.say(*file) == [Code.CONFLICT] * 20
        again = [
            msgspec.structs.replace(command, external_reference=f"S{number}") for number, command in enumerate(file)
        ]
        assert await desk.say(*again) == [Code.PAYMENT_REFUSED] * 20


# Races


@pytest.mark.parametrize("take", [refund, reverse])
async def test_of_many_full_ones_one_pays_a_bill_and_one_takes_that_back(dsn: str, tenant: int, take: Any) -> None:
    async with worker(dsn) as one, worker(dsn) as other, session(dsn) as psql:
        await billed(one, tenant, bills=1)
        for expected in (Code.PAYMENT_REFUSED, Code.CONFLICT):
            payments = await read_objects(psql, "payment", tenant)
            command = take(payments[0].id, tenant=tenant) if payments else pay("x00", tenant=tenant)
            tasks = [desk.hand_in(command) for _ in range(20) for desk in (one, other)]
            assert sorted(words(await asyncio.gather(*tasks))) == sorted([DONE, *[expected] * 39])

        bill = await read_object(psql, "bill", tenant, "x00")
        assert (bill.amount_paid, bill.amount_received, bill.version) == (0, 0, 3)
        refuse_broken(transfer for transfer in await read_transfers(psql, tenant) if transfer.obligation_id == bill.id)


async def test_payments_and_refunds_of_one_balance_all_land_whichever_worker_they_come_to(
    dsn: str, tenant: int
) -> None:
    async with worker(dsn) as one, worker(dsn) as other, session(dsn) as psql:
        await one.say(create("c", currency="ZAR", tenant=tenant))
        desks = (one, other)
        commands = of(tenant, *(pay("c", 10, kind="customer", external_reference=f"R{number}") for number in range(60)))
        tasks = [desks[number % 2].hand_in(command) for number, command in enumerate(commands)]
        assert words(await asyncio.gather(*tasks)) == [DONE] * 60
        commands = of(tenant, *(take(f"R{number}", amount=3) for number in range(60) for take in (refund, reverse)))
        tasks = [desks[number % 2].hand_in(command) for number, command in enumerate(commands)]
        assert words(await asyncio.gather(*tasks)) == [DONE] * 120

        (customer,) = await read_objects(psql, "customer", tenant)
        transfers = [it for it in await read_transfers(psql, tenant) if it.obligation_id == customer.id]
        refuse_broken(transfers)
        assert (customer.obligation.total, customer.obligation.version) == (
            -60 * (10 - 6),
            180 + (len(transfers) - 180),
        )
        assert {(payment.held, payment.version) for payment in await read_objects(psql, "payment", tenant)} == {(4, 3)}
        sequences = [event.sequence for event in await read_events(psql, tenant) if event.object_id == customer.id]
        assert sequences == [*range(1, 182)]


@pytest.mark.usefixtures("patient_locks")
async def test_payments_and_refunds_of_the_same_bills_in_other_orders_never_deadlock(dsn: str, tenant: int) -> None:
    """docs/architecture.md, "deadlocks": what was paid is locked before the payment, whatever names it."""
    names = [f"x{number:02}" for number in range(10)]
    async with worker(dsn) as one, worker(dsn) as other:
        await billed(one, tenant, bills=10)
        for number in range(15):
            pays = [
                desk.hand_in(every(order, tenant, external_reference=f"R{number}", channel=channel))
                for desk, channel, order in ((one, "a", names), (other, "b", names[::-1]))
            ]
            assert words(await asyncio.gather(*pays)) == [DONE] * 2
            mixed = [
                desk.hand_in(command)
                for desk, channel, order in ((one, "b", names), (other, "a", names[::-1]))
                for command in of(tenant, refund(f"{channel}:R{number}"), *(pay(name, 1) for name in order))
            ]
            assert words(await asyncio.gather(*mixed)) == [DONE] * 22

    assert "40P01" not in errors_seen


def every(names: list[str], tenant: int, **given: Any) -> Command:
    """Pay 1 of every bill."""
    return pay_many(*(("bill", name, 1) for name in names), tenant=tenant, **given)


# A connection that dies


APPLIED, REVERSED = b'"obligation.amount_applied"', b'"obligation.amount_reversed"'
TABLES = ("payment", "refund", "transfer", "event", "answer")


@pytest.mark.parametrize(("fate", "made"), [(Fate.CUT_AFTER, 1), (Fate.CUT_BEFORE, 0)])
@pytest.mark.parametrize("marker", [APPLIED, REVERSED])
async def test_the_answer_of_a_payment_or_a_refund_whose_connection_died_is_true(
    dsn: str, tenant: int, marker: bytes, fate: Fate, made: int
) -> None:
    """Its first event tells, or nothing of it is there; a retry finds what was done, or does it."""
    paid, refunded = of(tenant, pay("x00", 400, external_reference="R1"), refund("R1", amount=100))
    async with relayed(dsn) as (relay, through), worker(through) as desk, session(dsn) as psql:
        await billed(desk, tenant, bills=1)
        if marker == REVERSED:
            await desk.ask(paid)
        before = [await rows(psql, table, tenant) for table in TABLES]
        relay.strike(marker, fate)
        command = paid if marker == APPLIED else refunded
        reply = await desk.ask(command, "k")
        assert relay.struck.is_set()

        after = [await rows(psql, table, tenant) for table in TABLES]
        new = [int(marker == APPLIED), int(marker == REVERSED), 1, 1, 1]
        assert [now - then for now, then in zip(after, before, strict=True)] == [made * count for count in new]
        assert reply.answer == render(UNREACHABLE) if not made else word(reply) == DONE
        retry: Reply = await desk.ask(command, "k")
        assert (word(retry), retry.replayed) == (DONE, bool(made))
        assert [await rows(psql, table, tenant) for table in TABLES] == [
            then + count for then, count in zip(before, new, strict=True)
        ]


# What cannot be saved


async def test_a_payment_that_postgresql_refuses_stands_alone(dsn: str, tenant: int) -> None:
    """docs/architecture.md, "poison": the batch is split until it stands alone, and the others never notice."""
    commands = of(tenant, *(pay(f"x{number:02}", external_reference=f"R{number}") for number in range(8)))
    commands[5] = msgspec.structs.replace(commands[5], provider_reference="\0")  # no client can send this
    async with worker(dsn) as desk, session(dsn) as psql:
        await billed(desk, tenant, bills=8)

        assert await desk.say(*commands) == [*[DONE] * 5, Code.INTERNAL_ERROR, *[DONE] * 2]
        statuses = [bill.status for bill in await read_objects(psql, "bill", tenant)]
        assert (statuses.count("paid"), await rows(psql, "payment", tenant)) == (7, 7)


@pytest.mark.parametrize(
    "change",
    [
        "amount = 0",
        "amount = 1000000000000",
        "amount_refunded = -1",
        "amount_reversed = -1",
        "amount_refunded = 500, amount_reversed = 101, last_taken_back = 'refund'",
        "amount_refunded = 0, amount_reversed = 0",
        "last_taken_back = NULL",
        "last_taken_back = 'void'",
    ],
)
async def test_a_payment_that_does_not_add_up_cannot_be_saved(dsn: str, tenant: int, change: str) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        await write_all(PostgresStore(pool, dsn), tenant)

        with pytest.raises(asyncpg.CheckViolationError):
            await psql.execute(
                f"UPDATE payment SET {change} WHERE tenant_id = $1 AND external_reference = 'whole'", tenant
            )


@pytest.mark.parametrize("change", ["amount_received = -1", "amount_received = amount_paid + 1"])
async def test_no_bill_holds_more_of_payments_than_was_paid_on_it(dsn: str, tenant: int, change: str) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        await write_all(PostgresStore(pool, dsn), tenant)

        with pytest.raises(asyncpg.CheckViolationError):
            await psql.execute(f"UPDATE bill SET {change} WHERE tenant_id = $1", tenant)


@pytest.mark.parametrize("table", ["refund", "reversal"])
async def test_nothing_is_taken_back_from_the_payment_of_another_tenant(dsn: str, tenant: int, table: str) -> None:
    async with pooled(dsn) as pool, session(dsn) as psql:
        await write_all(PostgresStore(pool, dsn), tenant)

        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await psql.execute(f"UPDATE {table} SET tenant_id = $2 WHERE tenant_id = $1", tenant, tenant + 10_000)


# Terms


async def test_what_payments_are_found_by_is_there_after_each_of_them(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, session(dsn) as psql:
        for command in (*owing(tenant), *paying(tenant)):
            assert await desk.say(command) == [DONE]

            items = [
                it for kind in ("customer", "account", "bill", *KINDS) for it in await read_objects(psql, kind, tenant)
            ]
            found = await psql.fetch("SELECT object_id, term FROM search_term WHERE tenant_id = $1", tenant)
            assert {tuple(row) for row in found} == {(item.id, term) for item in items for term in item.terms()}
