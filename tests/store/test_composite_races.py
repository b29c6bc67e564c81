"""Workers that make, change and void what belongs together (docs/architecture.md, "deadlocks" and "race losers")."""

import asyncio
from collections import Counter
from random import Random
from typing import Any, NamedTuple

import pytest

from owed.core.accounts import AccountMembers
from owed.core.create import Create
from owed.core.customers import CustomerMembers
from owed.core.outcomes import Code
from owed.engine.engine import Limits
from owed.store.failures import errors_seen
from tests.core.samples import (
    JANE,
    create,
    create_account,
    create_bill,
    refuse_broken,
    update,
    update_account,
    update_bill,
    update_settings,
    void,
)
from tests.engine.desk import DONE, word, words
from tests.store.reading import read_events, read_object, read_objects, read_transfers
from tests.store.workers import rows, session, worker

KINDS = ("customer", "account", "bill")


class Whole(NamedTuple):
    """The references of a new bill on a new account of a new customer."""

    customer: str
    account: str
    bill: str

    def command(self, tenant: int) -> Create:
        customer = CustomerMembers(external_reference=self.customer, currency="ZAR", balance=1)
        account = AccountMembers(external_reference=self.account, customer=customer, currency="ZAR", balance=2)
        return create_bill(self.bill, account=account, tenant=tenant)


async def references(watcher: Any, tenant: int) -> dict[str, list[str]]:
    """List the references of all that a tenant has, by kind."""
    found = {kind: await read_objects(watcher, kind, tenant) for kind in KINDS}
    return {kind: sorted(item.external_reference for item in items) for kind, items in found.items()}


@pytest.mark.parametrize("shared", KINDS)
@pytest.mark.usefixtures("patient_locks")
async def test_of_two_composites_that_want_the_same_reference_one_is_made_whole_and_the_other_not_at_all(
    dsn: str, tenant: int, shared: str
) -> None:
    async with worker(dsn) as one, worker(dsn) as other, session(dsn) as watcher:
        for number in range(10):
            wanted = [
                Whole(**{kind: f"{number}" if kind == shared else f"{number}-{side}" for kind in KINDS})
                for side in ("one", "other")
            ]
            replies = await asyncio.gather(
                *(desk.ask(whole.command(tenant)) for desk, whole in zip((one, other), wanted, strict=True))
            )
            assert sorted(words(replies)) == [Code.CONFLICT, DONE]

        assert [await rows(watcher, kind, tenant) for kind in KINDS] == [10, 10, 10]
        assert [await rows(watcher, table, tenant) for table in ("event", "transfer")] == [30, 30]


@pytest.mark.usefixtures("patient_locks")
async def test_composites_that_cross_in_every_way_are_each_whole_or_nothing(dsn: str, tenant: int) -> None:
    """Cases 2 and 3: what some want inside, others want alone, and in other orders."""
    random, wanted = Random(3), [f"{number}" for number in range(40)]
    made: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    async with worker(dsn) as one, worker(dsn) as other, session(dsn) as watcher:
        await one.ask(create("standing", tenant=tenant))
        for _ in range(12):
            wholes = [Whole(*random.sample(wanted, 3)) for _ in range(8)]
            alone = [create(random.choice(wanted), tenant=tenant) for _ in range(2)]
            named = [create_account(random.choice(wanted), customer="standing", tenant=tenant) for _ in range(2)]
            commands = [*(whole.command(tenant) for whole in wholes), *alone, *named]
            replies = await asyncio.gather(*(random.choice((one, other)).ask(command) for command in commands))
            assert {*words(replies)} <= {DONE, Code.CONFLICT}
            for command, reply in zip(commands, replies, strict=True):
                for name in command.claims() if word(reply) == DONE else ():
                    made[name.kind][name.text] += 1

        made["customer"]["standing"] += 1
        assert {kind: sorted(counted.elements()) for kind, counted in made.items()} == await references(watcher, tenant)
        assert len(made["bill"]) > 10
        told = Counter(event.object_id for event in await read_events(watcher, tenant))
        assert {*told.values()} == {1}
    assert "40P01" not in errors_seen


@pytest.mark.usefixtures("patient_locks")
async def test_a_parent_may_change_while_children_are_made_for_it(dsn: str, tenant: int) -> None:
    """Case 2: a new row shares a lock on its customer and its account, which is compatible with their changes."""
    async with worker(dsn) as one, worker(dsn) as other, session(dsn) as watcher:
        await one.say(create("c", tenant=tenant, currency="ZAR"))
        await one.say(create_account("a", customer="c", tenant=tenant, currency="ZAR"))
        tasks = []
        for number in range(40):
            first, second = (one, other) if number % 2 else (other, one)
            tasks += [
                first.hand_in(update("c", tenant=tenant, balance=number)),
                second.hand_in(update_account("a", tenant=tenant, balance=number)),
                first.hand_in(create_bill(f"b{number}", account="a", tenant=tenant)),
                second.hand_in(create_account(f"a{number}", customer="c", tenant=tenant)),
            ]
        assert words(await asyncio.gather(*tasks)) == [DONE] * 160

        assert [await rows(watcher, kind, tenant) for kind in KINDS] == [1, 41, 40]
    assert "40P01" not in errors_seen


async def test_a_hot_bill_follows_every_correction_whichever_worker_it_comes_to(dsn: str, tenant: int) -> None:
    """Case 3: the loser decides again; none is lost, and the chain is whole."""
    async with worker(dsn, Limits(batch=5)) as one, worker(dsn, Limits(batch=5)) as other, session(dsn) as watcher:
        await one.ask(create("c", tenant=tenant))
        await one.ask(create_bill("hot", customer="c", tenant=tenant, amount_due=60))
        tasks = [
            desk.hand_in(update_bill("hot", tenant=tenant, amount_paid=number), f"{number}-{side}")
            for number in range(1, 61)
            for side, desk in enumerate((one, other))
        ]
        assert words(await asyncio.gather(*tasks)) == [DONE] * 120

        bill = await read_object(watcher, "bill", tenant, "hot")
        transfers, events = await read_transfers(watcher, tenant), await read_events(watcher, tenant)
    refuse_broken(transfers)
    assert bill.obligation.total == transfers[-1].total_after == bill.amount_due - bill.amount_paid
    assert bill.obligation.version == bill.version == len(transfers)
    told = Counter(event.type for event in events if event.object_id == bill.id)
    assert (told["bill.updated"], told.total()) == (bill.version - 1, bill.event_sequence)
    assert told["bill.paid"] >= 1


async def test_a_bill_is_either_voided_or_paid_whichever_worker_is_first(dsn: str, tenant: int) -> None:
    async with worker(dsn) as one, worker(dsn) as other, session(dsn) as watcher:
        await one.ask(create("c", tenant=tenant))
        for number in range(20):
            await one.ask(create_bill(f"b{number}", customer="c", tenant=tenant))
            commands = (void(f"b{number}", tenant=tenant), update_bill(f"b{number}", tenant=tenant, amount_paid=1000))
            replies = await asyncio.gather(one.ask(commands[0]), other.ask(commands[1]))
            assert sorted(words(replies)) == [Code.CONFLICT, DONE]

        bills = await read_objects(watcher, "bill", tenant)
    assert {(bill.status, bill.amount_paid, bill.obligation.total) for bill in bills} <= {
        ("voided", 0, 0), ("paid", 1000, 0),
    }  # fmt: skip


# Settings


async def test_settings_that_two_workers_change_at_once_have_both_changes(dsn: str, merchants_tenant: int) -> None:
    tenant = merchants_tenant
    async with worker(dsn) as one, worker(dsn) as other, session(dsn) as watcher:
        for number in range(10):
            zone = "Asia/Kathmandu" if number % 2 else "Africa/Johannesburg"
            replies = await asyncio.gather(
                one.ask(update_settings(tenant=tenant, actor=JANE, time_zone=zone)),
                other.ask(update_settings(tenant=tenant, require_idempotency_key=number % 2 == 0)),
            )
            assert words(replies) == [DONE, DONE]
            row = await watcher.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant)
            assert row is not None
            assert f'"{zone}"' in row["settings"]
            assert f'"require_idempotency_key":{str(number % 2 == 0).lower()}' in row["settings"]
            assert row["settings_version"] == 1 + 2 * (number + 1)

        assert await rows(watcher, "attribution", tenant) == 20


async def test_settings_that_change_among_other_commands_hold_up_nobody(dsn: str, merchants_tenant: int) -> None:
    tenant, other_tenant = merchants_tenant, merchants_tenant + 10_000
    async with worker(dsn) as desk, session(dsn) as psql:
        await desk.ask(create("a", tenant=tenant))
        async with psql.transaction():
            await psql.fetch("SELECT FROM tenant WHERE id = $1 FOR UPDATE", tenant)
            blocked = desk.hand_in(update_settings(tenant=tenant, time_zone="Asia/Kathmandu"))
            here, elsewhere = create("b", tenant=tenant), create("b", tenant=other_tenant)
            assert await desk.say(here, elsewhere, update("a", tenant=tenant, name="x")) == [DONE] * 3
            assert not blocked.done()
        assert word(await blocked) == DONE
