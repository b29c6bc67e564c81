"""Workers that want the same thing at the same moment (docs/architecture.md, "deadlocks" and "race losers")."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest

from owed.core.outcomes import Code
from owed.core.state import Name
from owed.engine import attempts, keys
from owed.engine.attempts import LATE
from owed.engine.engine import Limits
from owed.engine.keys import IN_USE
from owed.store import records
from owed.store.failures import errors_seen
from owed.store.postgres import PostgresStore
from tests.core.samples import create, refuse_broken, update
from tests.engine.desk import DONE, render, word, words
from tests.store.reading import read_object, read_transfers
from tests.store.workers import pooled, rows, session, worker


async def test_of_many_workers_one_creates_a_reference_and_the_others_hear_of_it(dsn: str, tenant: int) -> None:
    async with worker(dsn) as one, worker(dsn) as other, session(dsn) as watcher:
        for number in range(20):
            command = create(f"c{number}", tenant=tenant)
            replies = await asyncio.gather(one.ask(command), other.ask(command))
            assert sorted(words(replies)) == [Code.CONFLICT, DONE]

        assert [await rows(watcher, table, tenant) for table in ("customer", "event")] == [20, 20]


async def test_of_many_workers_one_decides_a_key_and_the_others_give_its_answer(dsn: str, tenant: int) -> None:
    """Case 1."""
    async with worker(dsn) as one, worker(dsn) as other, session(dsn) as watcher:
        for number in range(20):
            command = create(f"c{number}", tenant=tenant)
            replies = await asyncio.gather(*(desk.ask(command, f"k{number}") for desk in (one, other, one, other)))
            assert len({reply.answer for reply in replies}) == 1
            assert sorted(reply.replayed for reply in replies) == [False, True, True, True]

        assert [await rows(watcher, table, tenant) for table in ("customer", "event", "answer")] == [20, 20, 20]


async def test_a_hot_customer_changes_once_for_each_change_whichever_worker_it_comes_to(dsn: str, tenant: int) -> None:
    """Case 3: the loser decides again; none is lost, and the chain is whole."""
    async with worker(dsn, Limits(batch=5)) as one, worker(dsn, Limits(batch=5)) as other, session(dsn) as watcher:
        await one.ask(create("hot", tenant=tenant, currency="ZAR"))
        tasks = [
            desk.hand_in(update("hot", tenant=tenant, balance=number * 2 + side), f"{number}-{side}")
            for number in range(100)
            for side, desk in enumerate((one, other))
        ]
        assert words(await asyncio.gather(*tasks)) == [DONE] * 200

        transfers = await read_transfers(watcher, tenant)
        customer = await read_object(watcher, "customer", tenant, "hot")
        refuse_broken(transfers)
        assert customer.obligation.total == transfers[-1].total_after == sum(transfer.amount for transfer in transfers)
        assert customer.obligation.version == len(transfers)
        assert (customer.version, await rows(watcher, "event", tenant)) == (customer.event_sequence, customer.version)


@pytest.mark.usefixtures("patient_locks")
async def test_workers_that_touch_the_same_customers_in_other_orders_never_deadlock(dsn: str, tenant: int) -> None:
    """Case 2: everything is locked and written in the order of its key."""
    random, names = Random(2), [f"c{number}" for number in range(12)]
    async with worker(dsn) as one, worker(dsn) as other:
        await one.say(*(create(name, tenant=tenant, currency="ZAR") for name in names))
        for round_number in range(25):
            tasks = [
                desk.hand_in(update(name, tenant=tenant, balance=round_number))
                for desk in (one, other)
                for name in random.sample(names, len(names))
            ]
            assert words(await asyncio.gather(*tasks)) == [DONE] * 24

    assert "40P01" not in errors_seen


@pytest.mark.usefixtures("patient_locks")
async def test_transactions_that_hold_the_same_customers_never_deadlock(dsn: str, tenant: int) -> None:
    """Case 2: each takes them in the order of their keys, in whatever order and by whatever name they are asked for."""
    random = Random(2)
    async with worker(dsn) as desk, pooled(dsn) as pool:
        await desk.say(*(create(f"c{number}", tenant=tenant) for number in range(12)))
        store = PostgresStore(pool, dsn)
        names = [Name("customer", tenant, f"c{number}") for number in range(12)]
        state = await store.read(names)
        found = [state.customers.find(tenant, name.text) for name in names]
        ids = [Name("customer", tenant, customer.id) for customer in found if customer]

        async def hold() -> None:
            async with store.held(random.sample(names + ids, 18), {}, 20.0):
                pass

        await asyncio.gather(*(hold() for _ in range(200)))
    assert not errors_seen


@pytest.mark.usefixtures("patient_locks")
async def test_workers_that_create_the_same_references_in_other_orders_never_deadlock(dsn: str, tenant: int) -> None:
    """Case 2: references are inserted in their order, though their ids have another."""
    async with worker(dsn) as one, worker(dsn) as other:
        for round_number in range(25):
            names = [f"r{round_number}-{number:02}" for number in range(30)]
            tasks = [
                desk.hand_in(create(name, tenant=tenant))
                for desk, order in ((one, names), (other, names[::-1]))
                for name in order
            ]
            counted = Counter(words(await asyncio.gather(*tasks)))
            assert counted == {DONE: 30, Code.CONFLICT: 30}

    assert "40P01" not in errors_seen


# A session that is not ours


async def test_a_row_that_somebody_locks_holds_up_its_own_command_alone(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, session(dsn) as psql:
        await desk.say(*(create(f"c{number}", tenant=tenant) for number in range(20)))
        async with psql.transaction():
            await psql.fetch(
                "SELECT FROM customer WHERE tenant_id = $1 AND external_reference = 'c7' FOR UPDATE", tenant
            )
            tasks = [desk.hand_in(update(f"c{number}", tenant=tenant, name="x")) for number in range(20)]
            blocked = tasks.pop(7)

            assert words(await asyncio.gather(*tasks)) == [DONE] * 19
            assert await desk.say(create("later", tenant=tenant)) == [DONE]
            assert not blocked.done()
        assert word(await blocked) == DONE


async def test_many_rows_that_somebody_locks_hold_up_nobody_else(dsn: str, tenant: int) -> None:
    """Case 7: another merchant's command in the same batch does not wait for each of them in turn."""
    other = tenant + 10_000
    async with worker(dsn, Limits(patience=3.0)) as desk, session(dsn) as psql:
        await desk.say(create("a", tenant=other), *(create(f"c{number}", tenant=tenant) for number in range(100)))
        async with psql.transaction():
            await psql.fetch("SELECT FROM customer WHERE tenant_id = $1 FOR UPDATE", tenant)
            blocked = [desk.hand_in(update(f"c{number}", tenant=tenant, name="x")) for number in range(100)]
            async with asyncio.timeout(2):
                assert await desk.say(update("a", tenant=other, name="x")) == [DONE]
            assert not any(task.done() for task in blocked)

        assert words(await asyncio.gather(*blocked)) == [DONE] * 100


async def test_a_row_that_somebody_locks_too_long_is_told_so(dsn: str, tenant: int) -> None:
    async with worker(dsn, Limits(patience=0.3)) as desk, session(dsn) as psql:
        await desk.ask(create("a", tenant=tenant))
        async with psql.transaction():
            await psql.fetch("SELECT FROM customer WHERE tenant_id = $1 FOR UPDATE", tenant)
            assert (await desk.ask(update("a", tenant=tenant, name="x"))).answer == render(LATE)

        assert await desk.say(update("a", tenant=tenant, name="x")) == [DONE]


async def test_an_uncommitted_key_holds_up_its_own_command_alone(dsn: str, tenant: int) -> None:
    """Case 1: a row of the unique index that is neither there nor not there."""
    async with worker(dsn) as desk, session(dsn) as psql:
        uncommitted = psql.transaction()
        await uncommitted.start()
        await psql.execute(
            "INSERT INTO answer (tenant_id, key, fingerprint, status, body, recorded_at) "
            "VALUES ($1, 'k7', '', 200, '', now())",
            tenant,
        )
        tasks = [desk.hand_in(create(f"c{number}", tenant=tenant), f"k{number}") for number in range(20)]
        blocked = tasks.pop(7)

        assert words(await asyncio.gather(*tasks)) == [DONE] * 19
        assert not blocked.done()
        await uncommitted.rollback()
        assert word(await blocked) == DONE


async def test_an_uncommitted_reference_holds_up_its_own_command_alone(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, session(dsn) as psql:
        uncommitted = psql.transaction()
        await uncommitted.start()
        await psql.execute(
            "INSERT INTO customer (tenant_id, id, external_reference, tracked, total, transfer_version, transfer_hash, "
            "version, event_sequence, created_at, updated_at) "
            "VALUES ($1, 'bcus_x', 'c7', false, 0, 0, '', 1, 1, now(), now())",
            tenant,
        )
        tasks = [desk.hand_in(create(f"c{number}", tenant=tenant)) for number in range(20)]
        blocked = tasks.pop(7)

        assert words(await asyncio.gather(*tasks)) == [DONE] * 19
        await uncommitted.commit()
        assert word(await blocked) == Code.CONFLICT


async def test_a_key_that_another_worker_holds_is_waited_for_outside(dsn: str, tenant: int) -> None:
    """Case 1: an advisory lock is asked for, never waited for."""
    hold = "SELECT pg_advisory_xact_lock(hashtextextended('k', $1))"
    async with worker(dsn) as desk, session(dsn) as psql:
        async with psql.transaction():
            await psql.fetch(hold, tenant)
            waiting = desk.hand_in(update("nobody", tenant=tenant, currency="XXQ", balance=1), "other")
            assert word(await waiting) == Code.NOT_FOUND
            busy = desk.hand_in(create("bad", tenant=tenant, currency="XXQ"), "k")
            assert await desk.say(create("a", tenant=tenant)) == [DONE]
            assert not busy.done()
        assert word(await busy) == Code.INVALID_REQUEST


async def test_a_key_that_stays_busy_is_refused_in_the_end(
    dsn: str, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "PATIENCE", 0.1)
    monkeypatch.setattr(attempts, "PATIENCE", 0.1)
    async with worker(dsn) as desk, session(dsn) as psql, psql.transaction():
        await psql.fetch("SELECT pg_advisory_xact_lock(hashtextextended('k', $1))", tenant)
        reply = await desk.ask(create("bad", tenant=tenant, currency="XXQ"), "k")

        assert (reply.answer, reply.passing) == (render(IN_USE), True)


# Values that cannot be saved


@pytest.mark.parametrize(
    "poison",
    [{"name": "a\0b"}, {"name": "\ud800"}, {"metadata": {"long": "".join(map(chr, range(0x4E00, 0x4E00 + 6000)))}}],
    ids=["U+0000", "a lone surrogate", "too long for an index"],
)
async def test_a_value_that_postgresql_cannot_take_is_an_error_for_its_own_command_alone(
    dsn: str, tenant: int, poison: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Case 4: the edge refuses such values; should one slip through, the others of its batch must not suffer."""
    async with worker(dsn) as desk:
        good = [create(f"c{number}", tenant=tenant) for number in range(10)]
        replies = await desk.say(*good[:5], create("bad", tenant=tenant, **poison), *good[5:])

    assert replies == [DONE] * 5 + [Code.INTERNAL_ERROR] + [DONE] * 5
    assert caplog.records


# Answers that are forgotten


async def test_an_answer_is_kept_for_a_day(dsn: str, tenant: int) -> None:
    async with worker(dsn) as desk, session(dsn) as psql:
        first = await desk.ask(create("a", tenant=tenant), "k")
        await psql.execute("UPDATE answer SET recorded_at = now() - interval '23:59' WHERE tenant_id = $1", tenant)

        assert (await desk.ask(create("a", tenant=tenant), "k")).answer == first.answer


@pytest.mark.parametrize("is_pruned", [False, True])
async def test_an_answer_is_forgotten_after_a_day_whether_it_is_pruned_or_not(
    dsn: str, tenant: int, *, is_pruned: bool
) -> None:
    async with worker(dsn) as desk, session(dsn) as psql:
        await desk.ask(create("a", tenant=tenant), "k", b"one")
        await psql.execute("UPDATE answer SET recorded_at = now() - interval '24:01' WHERE tenant_id = $1", tenant)
        if is_pruned:
            await psql.fetch(records.PRUNE_ANSWERS)
        assert await rows(psql, "answer", tenant) == (0 if is_pruned else 1)

        again = await desk.ask(create("b", tenant=tenant), "k", b"other")
        assert (word(again), again.replayed) == (DONE, False)
        assert (await desk.ask(create("b", tenant=tenant), "k", b"other")).answer == again.answer
