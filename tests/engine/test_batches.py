"""Batches: when they begin, how they grow, and what never shares one (docs/architecture.md: "overlap", "fairness")."""

import asyncio
from random import Random

import pytest

from owed.core.accounts import AccountMembers
from owed.core.customers import CustomerMembers
from owed.core.outcomes import Code
from owed.core.state import Name
from owed.engine.engine import FULL, Limits
from owed.engine.store import Writing
from owed.store.memory import MemoryStore
from tests.core.samples import create, create_account, create_bill, update
from tests.engine.desk import DONE, opened, render, turns, word, words
from tests.engine.stores import GatedStore, customers_in, references


async def test_a_command_that_finds_nothing_in_flight_starts_at_once_and_alone() -> None:
    store = GatedStore()
    async with opened(store) as desk:
        task = desk.hand_in(create("a"))
        await store.arrived()

        assert desk.batch_sizes == [1]
        store.gate.set()
        await task


async def test_commands_of_the_same_moment_share_a_batch() -> None:
    async with opened(MemoryStore()) as desk:
        assert await desk.say(*(create(f"c{number}") for number in range(10))) == [DONE] * 10

        assert desk.batch_sizes == [10]


async def test_load_grows_the_batch_and_not_the_queue() -> None:
    """While two batches are in flight all that comes gathers, and is the third."""
    store = GatedStore()
    async with opened(store) as desk:
        first = desk.hand_in(create("a"))
        await store.arrived()
        second = desk.hand_in(create("b"))
        await store.arrived()
        rest = [desk.hand_in(create(f"c{number}")) for number in range(100)]
        await turns()
        assert (store.waiting, len(desk.engine.queue)) == (2, 100)

        store.gate.set()
        assert words(await asyncio.gather(first, second, *rest)) == [DONE] * 102
        assert desk.batch_sizes == [1, 1, 100]


async def test_a_batch_is_bounded_in_commands() -> None:
    async with opened(MemoryStore(), Limits(batch=10)) as desk:
        await desk.say(*(create(f"c{number}") for number in range(25)))

        assert desk.batch_sizes == [10, 10, 5]


async def test_a_batch_is_bounded_in_bytes_and_takes_one_command_whatever_its_size() -> None:
    async with opened(MemoryStore(), Limits(batch_bytes=20)) as desk:
        sizes = [8, 8, 8, 100, 1, 1]
        await asyncio.gather(*(desk.ask(create(f"c{number}"), size=size) for number, size in enumerate(sizes)))

        assert desk.batch_sizes == [3, 1, 2]


async def test_a_command_that_touches_what_is_in_flight_waits_while_others_go() -> None:
    """Case 6."""
    store = GatedStore()
    async with opened(store) as desk:
        hot = desk.hand_in(create("hot"))
        await store.arrived()
        again, cold = desk.hand_in(update("hot", name="x")), desk.hand_in(create("cold"))
        await store.arrived()

        assert (desk.batch_sizes, len(desk.engine.queue)) == ([1, 1], 1)
        store.gate.set()
        assert words([await hot, await again, await cold]) == [DONE] * 3


@pytest.mark.parametrize("taken", ["c", "a", "b"])
async def test_a_composite_waits_for_whatever_part_of_it_is_in_flight(taken: str) -> None:
    """Case 6: it touches all that it names and all that it would make."""
    store = GatedStore()
    account = AccountMembers(external_reference="a", customer=CustomerMembers(external_reference="c"))
    in_flight = {"c": create("c"), "a": create_account("a", customer="x"), "b": create_bill("b", customer="x")}
    async with opened(store) as desk:
        first = desk.hand_in(in_flight[taken])
        await store.arrived()
        whole, cold = desk.hand_in(create_bill("b", account=account)), desk.hand_in(create("cold"))
        await store.arrived()

        assert (desk.batch_sizes, len(desk.engine.queue)) == ([1, 1], 1)
        store.gate.set()
        assert word(await cold) == DONE
        assert words([await first, await whole]) in ([DONE, Code.CONFLICT], [Code.NOT_FOUND, DONE])


class WatchfulStore(MemoryStore):
    """Notes whether two writings that are open at the same time share a customer."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[set[str]] = []
        self.at_most = 0

    async def write(self, writing: Writing) -> None:
        ours = references(writing)
        assert all(ours.isdisjoint(others) for others in self.open)
        self.open.append(ours)
        self.at_most = max(self.at_most, len(self.open))
        await turns(3)
        await super().write(writing)
        self.open.remove(ours)


async def test_batches_in_flight_never_share_an_object() -> None:
    """Case 6, with many commands on few customers that come one by one."""
    store, random = WatchfulStore(), Random(6)
    async with opened(store, Limits(batch=4)) as desk:
        await desk.say(*(create(f"c{number}") for number in range(6)))
        tasks = []
        for number in range(300):
            tasks.append(desk.hand_in(update(f"c{random.randrange(6)}", name=f"{number}")))
            await turns(random.randrange(3))

        assert words(await asyncio.gather(*tasks)) == [DONE] * 300
        assert store.at_most == 2


async def test_two_names_of_one_customer_may_meet_in_flight_and_both_changes_stand() -> None:
    """Case 3: the id and the reference are two names, so that the loser of the race has to decide again."""
    store = GatedStore()
    store.gate.set()
    async with opened(store, Limits(batch=1)) as desk:
        await desk.ask(create("a", currency="ZAR"))
        (customer,) = customers_in(store)
        names = ["a", customer.id] * 20
        replies = await desk.say(*(update(name, balance=number) for number, name in enumerate(names)))

    (customer,) = customers_in(store)
    assert (replies, customer.version, len(store.tables.transfers)) == ([DONE] * 40, 41, 40)


async def test_one_merchants_import_delays_nobody_elses_command() -> None:
    """Case 7: tenants take turns, so that one command is in the next batch though a thousand came before it."""
    store = GatedStore()
    async with opened(store, Limits(batch=10, in_flight=1)) as desk:
        first = desk.hand_in(create("first", tenant=1))
        await store.arrived()
        imported = [desk.hand_in(create(f"c{number}", tenant=1)) for number in range(1_000)]
        await turns()
        other = desk.hand_in(create("other", tenant=2))
        await turns()
        store.gate.set()

        await other
        assert sum(task.done() for task in imported) < 20
        await asyncio.gather(first, *imported)


async def test_a_batch_mixes_tenants_in_turn() -> None:
    """Case 7."""
    store = GatedStore()
    async with opened(store, Limits(batch=6)) as desk:
        tasks = {
            (tenant, number): desk.hand_in(create(f"c{number}", tenant=tenant))
            for tenant, count in ((1, 50), (2, 2), (3, 50))
            for number in range(count)
        }
        await store.arrived(2)
        store.gate.set()

        await tasks[2, 1]
        assert not tasks[1, 20].done()
        await asyncio.gather(*tasks.values())


async def test_a_tenant_that_waits_for_a_held_object_delays_nobody_else() -> None:
    """Cases 6 and 7: a thousand commands on one busy customer stay in their line."""
    store = MemoryStore()
    async with opened(store, Limits(batch=8)) as desk:
        await desk.ask(create("hot", tenant=1))
        async with store.held([Name("customer", 1, "hot")], {}):
            hot = [desk.hand_in(update("hot", tenant=1, name=f"{number}")) for number in range(1_000)]
            await turns()
            assert await desk.say(create("other", tenant=2)) == [DONE]
            assert not any(task.done() for task in hot)

        assert words(await asyncio.gather(*hot)) == [DONE] * 1_000


async def test_a_full_queue_refuses_at_once_and_takes_again_when_it_has_room() -> None:
    """Case 6: the queue is bounded too."""
    store = GatedStore()
    async with opened(store, Limits(waiting=3, in_flight=1)) as desk:
        running = [desk.hand_in(create("a"))]
        await store.arrived()
        running += [desk.hand_in(create(f"c{number}")) for number in range(3)]
        await turns()

        refused = await desk.ask(create("refused"), key="k")
        assert (refused.answer, refused.passing, refused.kept) == (render(FULL), True, False)
        store.gate.set()
        await asyncio.gather(*running)
        assert (await desk.ask(create("refused"), key="k")).kept
