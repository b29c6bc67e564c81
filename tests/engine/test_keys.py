"""The same key twice (docs/architecture.md, "the same key twice"; contract, 1.4)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from owed.core.command import Command, Refuse
from owed.core.outcomes import Code, Fault, invalid
from owed.core.state import Name
from owed.engine import attempts, keys
from owed.engine.keys import IN_USE, REUSED
from owed.engine.store import LOCK_WAIT, AnswerKey, Blocked, NamesByKey
from owed.store.memory import HeldInMemory, MemoryStore
from tests.core.samples import KEY, create, update
from tests.engine.commands import Broken
from tests.engine.desk import DONE, opened, render, turns, word, words
from tests.engine.stores import GatedStore, customers_in

K = AnswerKey(1, "k")
INVALID = Refuse(1, KEY, invalid([Fault("/name", "no")]))


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have requests wait for a key no longer than a moment."""
    monkeypatch.setattr(keys, "PATIENCE", 0.05)
    monkeypatch.setattr(attempts, "PATIENCE", 0.05)


async def test_the_second_waits_for_the_first_and_gets_its_answer_again() -> None:
    store = GatedStore()
    async with opened(store) as desk:
        first = desk.hand_in(create("a"), "k")
        await store.arrived()
        others = [desk.hand_in(create("a"), "k") for _ in range(9)]
        await turns()
        assert not any(task.done() for task in others)

        store.gate.set()
        answer = (await first).answer
        replies = await asyncio.gather(*others)
        assert {(reply.answer, reply.kept, reply.replayed) for reply in replies} == {(answer, True, True)}
        assert (desk.batch_sizes, len(store.tables.events)) == ([1], 1)


async def test_a_retry_gets_the_kept_answer_byte_for_byte_however_much_later() -> None:
    store = MemoryStore()
    async with opened(store) as desk:
        first = await desk.ask(create("a"), "k")
        await desk.ask(update("a", name="x"))
        retry = await desk.ask(create("a"), "k")

        assert (first.replayed, retry.replayed, retry.answer) == (False, True, first.answer)


@pytest.mark.parametrize("refused", [update("nobody", name="x"), update("a", if_match=frozenset("9")), create("a")])
async def test_a_refusal_that_was_decided_on_what_stands_is_kept(refused: Command) -> None:
    async with opened(MemoryStore()) as desk:
        await desk.ask(create("a"))
        first, retry = await desk.ask(refused, "k"), await desk.ask(refused, "k")

        assert (retry.answer, first.kept, retry.replayed) == (first.answer, True, True)


async def test_the_same_key_for_another_request_is_refused_and_nothing_happens() -> None:
    store = GatedStore()
    async with opened(store) as desk:
        first = desk.hand_in(create("a"), "k", b"one")
        await store.arrived()
        beside = desk.hand_in(create("b"), "k", b"other")
        await turns()
        store.gate.set()
        await first

        later = await desk.ask(create("b"), "k", b"other")
        assert ((await beside).answer, later.answer) == (render(REUSED), render(REUSED))
        assert len(customers_in(store)) == 1


async def test_the_same_key_in_another_tenant_is_another_key() -> None:
    async with opened(MemoryStore()) as desk:
        replies = await asyncio.gather(*(desk.ask(create("a", tenant=tenant), "k") for tenant in (1, 2)))

        assert [(word(reply), reply.replayed) for reply in replies] == [(DONE, False)] * 2


@pytest.mark.parametrize(("first", "code"), [(INVALID, Code.INVALID_REQUEST), (Broken(), Code.INTERNAL_ERROR)])
async def test_a_refusal_that_is_not_kept_leaves_the_key_to_the_next(first: Command, code: Code) -> None:
    store = GatedStore()
    async with opened(store) as desk:
        failing = desk.hand_in(first, "k", b"bad")
        await store.arrived()
        waiting = desk.hand_in(create("a"), "k", b"good")
        await turns()
        store.gate.set()

        assert words([await failing, await waiting]) == [code, DONE]
        assert (await desk.ask(create("a"), "k", b"good")).replayed


@pytest.mark.usefixtures("patience")
async def test_the_second_gives_up_when_the_first_takes_too_long() -> None:
    store = GatedStore()
    async with opened(store) as desk:
        first = desk.hand_in(create("a"), "k")
        await store.arrived()
        second = await desk.ask(create("a"), "k")

        assert (second.answer, second.passing, second.kept) == (render(IN_USE), True, False)
        store.gate.set()
        assert word(await first) == DONE


async def test_a_caller_that_waits_for_the_first_may_go_away() -> None:
    store = GatedStore()
    async with opened(store) as desk:
        first = desk.hand_in(create("a"), "k")
        await store.arrived()
        second, third = desk.hand_in(create("a"), "k"), desk.hand_in(create("a"), "k")
        await turns()
        second.cancel()
        store.gate.set()

        assert (word(await first), (await third).replayed) == (DONE, True)


# Two processes: another one holds the key.


async def test_a_key_that_another_worker_decides_holds_up_nobody_else() -> None:
    store = MemoryStore()
    async with opened(store) as desk:
        async with store.held([], {K: ()}):
            waiting = desk.hand_in(INVALID, "k")
            assert await desk.say(*(create(f"c{number}") for number in range(5))) == [DONE] * 5
            await turns()
            assert not waiting.done()

        assert word(await waiting) == Code.INVALID_REQUEST


async def test_the_others_of_a_batch_go_on_without_the_one_whose_key_is_busy() -> None:
    store = MemoryStore()
    async with opened(store) as desk:
        async with store.held([], {K: ()}):
            waiting = desk.hand_in(INVALID, "k")
            others = [desk.hand_in(create(f"c{number}"), f"k{number}") for number in range(5)]

            assert words(await asyncio.gather(*others)) == [DONE] * 5
            assert (desk.batch_sizes, waiting.done()) == ([6], False)
        await waiting


async def test_the_loser_of_a_key_gets_the_winners_answer() -> None:
    """Two engines on one store are two workers."""
    store = GatedStore()
    async with opened(store) as one, opened(store) as other:
        first, second = one.hand_in(create("a"), "k"), other.hand_in(create("a"), "k")
        await store.arrived(2)
        store.gate.set()
        replies = [await first, await second]

    assert replies[0].answer == replies[1].answer
    assert sorted(reply.replayed for reply in replies) == [False, True]
    assert len(store.tables.events) == 1


@pytest.mark.usefixtures("patience")
async def test_a_key_that_stays_busy_elsewhere_is_refused_in_the_end() -> None:
    store = MemoryStore()
    async with opened(store) as desk, store.held([], {K: ()}):
        reply = await desk.ask(INVALID, "k")

        assert (reply.answer, reply.passing) == (render(IN_USE), True)


class HalfBlockedStore(MemoryStore):
    """Blocks the transactions that name one customer, and lets a test say for how long one of them alone takes."""

    def __init__(self) -> None:
        super().__init__()
        self.over = asyncio.Event()

    @asynccontextmanager
    async def held(
        self, names: list[Name], keys: NamesByKey, lock_wait: float = LOCK_WAIT
    ) -> AsyncIterator[HeldInMemory]:
        if Name("customer", 1, "blocked") in names and not self.over.is_set():
            if len(names) == 1:
                await self.over.wait()
            else:
                raise Blocked
        async with super().held(names, keys, lock_wait) as held:
            yield held


async def test_a_key_is_free_once_its_request_is_answered_though_the_rest_of_its_batch_is_not() -> None:
    """The second must neither wait for strangers, nor burn the processor by asking again and again."""
    store = HalfBlockedStore()
    async with opened(store) as desk:
        first = desk.hand_in(Refuse(1, KEY, INVALID.refusal), "k")
        named, blocked = desk.hand_in(create("other")), desk.hand_in(update("blocked", name="x"))
        assert word(await first) == Code.INVALID_REQUEST

        async with asyncio.timeout(1):
            assert word(await desk.ask(create("a"), "k")) == DONE
        store.over.set()
        assert words([await named, await blocked]) == [DONE, Code.NOT_FOUND]
