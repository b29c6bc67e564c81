"""Waiting: whatever happens, every request gets an answer (docs/architecture.md, "waiting" and "shutdown")."""

import asyncio

import pytest

from owed.core.state import Name
from owed.engine.attempts import LATE
from owed.engine.engine import CLOSING, Limits
from owed.store.memory import MemoryStore
from tests.core.samples import create, update
from tests.engine.desk import DONE, opened, render, turns, until, word, words
from tests.engine.stores import GatedStore, customers_in


@pytest.mark.parametrize("moment", ["in the queue", "in flight"])
async def test_a_client_that_hangs_up_cancels_nothing(moment: str) -> None:
    store = GatedStore()
    async with opened(store, Limits(in_flight=1)) as desk:
        first = desk.hand_in(create("first"))
        await store.arrived()
        if moment == "in flight":
            caller = first
        else:
            caller = desk.hand_in(create("second"), "k")
            await turns()
        caller.cancel()
        await asyncio.wait({caller})
        store.gate.set()
        await desk.engine.close()

    assert caller.cancelled()
    assert len(customers_in(store)) == (1 if caller is first else 2)


async def test_all_callers_of_a_batch_may_hang_up() -> None:
    store = GatedStore()
    async with opened(store) as desk:
        callers = [desk.hand_in(create(f"c{number}")) for number in range(5)]
        await store.arrived()
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        store.gate.set()

    assert len(customers_in(store)) == 5


async def test_a_command_past_its_deadline_is_refused_before_it_is_begun() -> None:
    store = GatedStore()
    async with opened(store, Limits(in_flight=1, patience=0.05)) as desk:
        first = desk.hand_in(create("first"))
        await store.arrived()
        late = desk.hand_in(create("late"), "k")
        await asyncio.sleep(0.06)  # it is the time itself that passes here
        store.gate.set()

        assert (word(await first), (await late).answer, (await late).passing) == (DONE, render(LATE), True)
        assert word(await desk.ask(create("late"), "k")) == DONE


async def test_closing_answers_all_that_came_before_and_refuses_what_comes_after() -> None:
    """Case 13: stop taking, drain, save, answer."""
    store = GatedStore()
    async with opened(store, Limits(batch=10)) as desk:
        before = [desk.hand_in(create(f"c{number}"), f"k{number}") for number in range(100)]
        await store.arrived(2)
        closing = asyncio.create_task(desk.engine.close())
        await turns()
        after = await desk.ask(create("after"), "after")

        assert (after.answer, after.passing, closing.done()) == (render(CLOSING), True, False)
        store.gate.set()
        await closing
        assert all(task.done() for task in before)
        assert words(await asyncio.gather(*before)) == [DONE] * 100


async def test_closing_waits_for_commands_that_wait_for_each_other() -> None:
    store = MemoryStore()
    async with opened(store, Limits(batch=2)) as desk:
        await desk.ask(create("hot", currency="ZAR"))
        tasks = [desk.hand_in(update("hot", balance=number)) for number in range(50)]
        await turns(1)
        await desk.engine.close()

        assert words(await asyncio.gather(*tasks)) == [DONE] * 50


async def test_closing_waits_for_what_was_set_aside() -> None:
    store = MemoryStore()
    async with opened(store) as desk:
        await desk.ask(create("a"))
        async with store.held([Name("customer", 1, "a")], {}):
            blocked = desk.hand_in(update("a", name="x"))
            await until(lambda: bool(desk.engine._aside))
            closing = asyncio.create_task(desk.engine.close())
            await turns()
            assert not closing.done()

        await closing
        assert blocked.done()
        assert word(await blocked) == DONE


async def test_an_idle_engine_closes_at_once_and_twice() -> None:
    async with opened(MemoryStore()) as desk:
        await desk.engine.close()
        await desk.engine.close()
