"""Attempts: a batch is carried out in spite of races, locks, bugs and a store that goes away."""

import asyncio

import pytest

from owed.core.accounts import AccountMembers
from owed.core.customers import CustomerMembers
from owed.core.outcomes import Code, Outcome
from owed.core.state import Name
from owed.engine import attempts
from owed.engine.attempts import LATE, UNKNOWN, UNREACHABLE
from owed.engine.deciding import BUG
from owed.engine.engine import Limits
from owed.engine.pending import Reply
from owed.engine.store import AnswerKey, Blocked, Conflict, Rejected, Unavailable, Unknown
from owed.model.bill import Bill
from owed.model.tenant_settings import SettingsRecord, TenantSettings
from owed.store.memory import MemoryStore
from tests.core.samples import JANE, create, create_bill, refuse_broken, update, update_bill, update_settings
from tests.engine.commands import Broken, broken_render, is_done
from tests.engine.desk import DONE, opened, render, until, word, words
from tests.engine.stores import (
    CountingStore,
    ForgetfulStore,
    GatedStore,
    ScriptedStore,
    SqueamishStore,
    UnreadableStore,
    customers_in,
)

K = AnswerKey(1, "k")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait between attempts no longer than it takes to see it."""
    monkeypatch.setattr(attempts, "PAUSES", (0.0,) * 5)
    monkeypatch.setattr(attempts, "RETRY_ASIDE", 0.005)


# Case 3: race losers


async def test_a_loser_decides_again_on_what_the_winner_left() -> None:
    """Two workers change one hot customer: every change stands, on top of the one before."""
    store = MemoryStore()
    async with opened(store, Limits(batch=3)) as one, opened(store, Limits(batch=3)) as other:
        await one.ask(create("hot", currency="ZAR"))
        tasks = [desk.hand_in(update("hot", balance=number)) for number in range(30) for desk in (one, other)]
        replies = await asyncio.gather(*tasks)

    (customer,) = customers_in(store)
    assert words(replies) == [DONE] * 60
    assert customer.obligation.version == len(store.tables.transfers)
    refuse_broken(store.tables.transfers.values())


async def test_what_was_decided_first_is_gone_when_it_is_decided_again() -> None:
    """Events, transfers, words and answers of the first try were built on what was no longer true."""
    store = ScriptedStore(Conflict(), Conflict())
    async with opened(store) as desk:
        reply = await desk.ask(create("a", actor=JANE, currency="ZAR", balance=1), "k")

    tables = store.tables
    assert [len(table) for table in (tables.events, tables.transfers, tables.attributions)] == [1, 1, 1]
    (customer,) = customers_in(store)
    assert customer.id.encode() in reply.answer.body
    assert (kept := store.kept(K)) is not None
    assert kept.answer == reply.answer
    assert len({writing.state.events[0].id for writing in store.tried}) == 3


async def test_of_two_workers_one_creates_a_reference_and_the_other_hears_of_it() -> None:
    store = GatedStore()
    async with opened(store) as one, opened(store) as other:
        tasks = [one.hand_in(create("a")), other.hand_in(create("a"))]
        await store.arrived(2)
        store.gate.set()
        replies = await asyncio.gather(*tasks)

    assert sorted(words(replies)) == [Code.CONFLICT, DONE]


async def test_of_two_workers_one_makes_a_composite_and_of_the_others_nothing_stands() -> None:
    """They share the customer inside alone."""
    store = GatedStore()
    customer = CustomerMembers(external_reference="c")
    wanted = [
        create_bill(f"b{n}", account=AccountMembers(external_reference=f"a{n}", customer=customer)) for n in (1, 2)
    ]
    async with opened(store) as one, opened(store) as other:
        tasks = [desk.hand_in(command) for desk, command in zip((one, other), wanted, strict=True)]
        await store.arrived(2)
        store.gate.set()
        replies = words(await asyncio.gather(*tasks))

    assert sorted(replies) == [Code.CONFLICT, DONE]
    winner = replies.index(DONE) + 1
    assert {item.names[0] for item in store.tables.objects.values()} == {"c", f"a{winner}", f"b{winner}"}
    assert len(store.tables.events) == 3


async def test_a_reference_that_is_another_bills_id_is_free_however_often_it_is_decided() -> None:
    """Section 1.3. A rival reference in the batch has all of it decided again, with everything loaded."""
    store = MemoryStore()
    async with opened(store) as desk:
        await desk.say(create("c"), create_bill("first", customer="c"))
        (first,) = [item for item in store.tables.objects.values() if isinstance(item, Bill)]
        replies = await desk.say(
            update_bill(first.id, amount_paid=1),
            create_bill(first.id, customer="c"),
            create_bill("first", customer="c"),
        )

        assert (replies, desk.batch_sizes) == ([DONE, DONE, Code.CONFLICT], [2, 3])
        assert await desk.say(create_bill(first.id, customer="c")) == [Code.CONFLICT]


async def test_a_deadlock_is_run_again() -> None:
    """Case 2: PostgreSQL reports a deadlock as a conflict, and one victim is enough to go on."""
    store = ScriptedStore(*[Conflict("deadlock detected")] * 4)
    async with opened(store) as desk:
        assert await desk.say(*(create(f"c{number}") for number in range(5))) == [DONE] * 5

    assert len(store.tried) == 5


async def test_who_never_wins_is_told_so_in_the_end() -> None:
    """Case 12: every waiting request gets an answer."""
    store = ScriptedStore(for_ever=Conflict())
    async with opened(store, Limits(patience=0.1)) as desk:
        reply = await desk.ask(create("a"))

        assert (reply.answer, reply.passing) == (render(LATE), True)


# What is saved where no event tells of it


async def test_a_change_of_settings_is_saved_with_who_made_it() -> None:
    store = ScriptedStore()
    async with opened(store) as desk:
        for command in (update_settings(time_zone="Asia/Kathmandu"), update_settings(time_zone="Asia/Kathmandu")):
            assert await desk.say(command) == [DONE]

        assert (len(store.tried), len(store.tables.attributions), len(store.tables.events)) == (1, 1, 0)
        assert word(await desk.ask(update_settings(time_zone="Asia/Kathmandu"), "k")) == DONE
        assert (len(store.tried), store.kept(K) is not None) == (2, True)  # the answer alone


async def test_settings_that_two_workers_change_at_once_have_both_changes() -> None:
    store = GatedStore()
    async with opened(store) as one, opened(store) as other:
        tasks = [
            one.hand_in(update_settings(time_zone="Asia/Kathmandu")),
            other.hand_in(update_settings(require_idempotency_key=True)),
        ]
        await store.arrived(2)
        store.gate.set()
        assert words(await asyncio.gather(*tasks)) == [DONE, DONE]

    (record,) = store.tables.objects.values()
    assert isinstance(record, SettingsRecord)
    assert (record.version, record.settings) == (3, TenantSettings("Asia/Kathmandu", require_idempotency_key=True))


# Case 4: poison


async def test_a_bug_is_an_error_for_its_own_command_alone(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    async with opened(store) as desk:
        replies = await desk.say(create("a"), Broken(), create("b"), Broken("a"), create("c"))

        assert replies == [DONE, Code.INTERNAL_ERROR, DONE, Code.INTERNAL_ERROR, DONE]
        assert (desk.batch_sizes, len(caplog.records)) == ([5], 2)
    assert {customer.external_reference for customer in customers_in(store)} == {"a", "b", "c"}
    assert store.tables.transfers == {}


async def test_an_answer_that_cannot_be_made_is_an_error_for_its_own_command_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What the command did is dropped with it."""
    store = MemoryStore()
    async with opened(store) as desk:
        good = [desk.hand_in(create("a")), desk.hand_in(create("b"))]
        bad = asyncio.create_task(desk.engine.submit(create("bad"), broken_render(when=is_done)))
        good.append(desk.hand_in(create("c")))

        assert words(await asyncio.gather(*good, bad)) == [DONE] * 3 + [Code.INTERNAL_ERROR]
        assert (len(customers_in(store)), len(caplog.records), desk.batch_sizes) == (3, 1, [4])


async def test_nobody_waits_for_ever_where_nothing_at_all_can_be_answered() -> None:
    """Case 12: the others of its batch hear that it failed, and their keys are free."""
    store = MemoryStore()
    async with opened(store) as desk:
        bad = asyncio.create_task(desk.engine.submit(create("bad"), broken_render(when=lambda _: True)))
        good = [desk.hand_in(create(f"c{number}"), f"k{number}") for number in range(3)]
        failed, *replies = await asyncio.gather(bad, *good, return_exceptions=True)

        assert isinstance(failed, ZeroDivisionError)
        assert replies == [Reply(render(BUG))] * 3
        assert customers_in(store) == []
        assert word(await desk.ask(create("c0"), "k0")) == DONE


async def test_a_value_that_cannot_be_saved_is_an_error_for_its_own_command_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The batch is halved until the value stands alone."""
    store = SqueamishStore("c13", "c37")
    async with opened(store) as desk:
        tasks = [desk.hand_in(create(f"c{number}"), f"k{number}") for number in range(64)]
        replies = words(await asyncio.gather(*tasks))

        assert [number for number in range(64) if replies[number] == Code.INTERNAL_ERROR] == [13, 37]
        assert (replies.count(DONE), desk.batch_sizes, len(caplog.records)) == (62, [64], 2)
        assert store.tried <= 2 + 2 * 2 * 6


async def test_an_error_leaves_its_key_free() -> None:
    store = SqueamishStore("a")
    async with opened(store) as desk:
        assert (await desk.ask(create("a"), "k")).answer == render(BUG)
        store.unsavoury.clear()

        reply = await desk.ask(create("a"), "k")
        assert (word(reply), reply.kept, reply.replayed) == (DONE, True, False)


@pytest.mark.parametrize("in_script", [RuntimeError("a bug in the store"), Rejected()])
async def test_the_engine_outlives_a_bug_in_the_store(in_script: Exception, caplog: pytest.LogCaptureFixture) -> None:
    store = ScriptedStore(in_script, in_script)
    async with opened(store) as desk:
        assert (await desk.ask(create("a"), "k")).answer == render(BUG)
        assert caplog.records

        store.script.clear()
        assert word(await desk.ask(create("a"), "k")) == DONE


# Locks that somebody else holds


async def test_a_command_that_is_blocked_is_set_aside_and_the_others_go_on() -> None:
    store = MemoryStore()
    async with opened(store) as desk:
        await desk.say(*(create(f"c{number}") for number in range(20)))
        async with store.held([Name("customer", 1, "c7")], {}):
            tasks = [desk.hand_in(update(f"c{number}", name="x")) for number in range(20)]
            blocked = tasks.pop(7)

            assert words(await asyncio.gather(*tasks)) == [DONE] * 19
            assert await desk.say(create("later")) == [DONE]
            assert not blocked.done()
        assert word(await blocked) == DONE


async def test_a_command_that_stays_blocked_is_told_so_in_the_end() -> None:
    store = MemoryStore()
    async with opened(store, Limits(patience=0.1)) as desk:
        await desk.ask(create("a"))
        async with store.held([Name("customer", 1, "a")], {}):
            assert (await desk.ask(update("a", name="x"))).answer == render(LATE)

        assert await desk.say(update("a", name="y")) == [DONE]


async def test_many_blocked_commands_leave_connections_to_the_others() -> None:
    """Each that is set aside holds a connection while it tries; the pool is for everybody."""
    store = CountingStore()
    names = [Name("customer", 1, f"c{number}") for number in range(30)]
    async with opened(store) as desk:
        await desk.say(*(create(name.text) for name in names))
        async with store.held(names, {}):
            tasks = [desk.hand_in(update(name.text, name="x")) for name in names]
            await until(lambda: len(desk.engine._aside) == len(names))
            store.most = 0
            assert await desk.say(create("other")) == [DONE]
        assert words(await asyncio.gather(*tasks)) == [DONE] * 30

    assert store.most <= attempts.BLOCKED_AT_ONCE + attempts.BUSY_AT_ONCE + Limits().in_flight


# Case 5, and a store that is out of reach


@pytest.mark.parametrize(
    ("error", "refused"),
    [(Unavailable(), UNREACHABLE), (Unknown(), UNKNOWN)],
)
async def test_a_store_that_goes_away_while_saving_is_told_to_all(error: Exception, refused: Outcome) -> None:
    """Whether it was saved is the store's to find out; the engine says what the store says, and keys stay free."""
    store = ScriptedStore(error)
    async with opened(store) as desk:
        tasks = [desk.hand_in(create(f"c{number}"), f"k{number}") for number in range(5)]
        replies = await asyncio.gather(*tasks)

        assert {(reply.answer, reply.passing, reply.kept) for reply in replies} == {(render(refused), True, False)}
        assert word(await desk.ask(create("c0"), "k0")) == DONE


async def test_a_store_that_goes_away_while_objects_are_held_is_told_to_all() -> None:
    store = ScriptedStore(Conflict(), Unknown())
    async with opened(store) as desk:
        assert (await desk.ask(create("a"), "k")).answer == render(UNKNOWN)


async def test_a_store_that_cannot_be_read_is_told_to_all_and_to_nobody_afterwards() -> None:
    store = UnreadableStore(Unavailable())
    async with opened(store) as desk:
        replies = await asyncio.gather(*(desk.ask(update("a", name=str(number))) for number in range(5)))
        assert {reply.answer for reply in replies} == {render(UNREACHABLE)}

        store.error = None
        assert await desk.say(create("a")) == [DONE]


async def test_a_retry_after_an_unknown_outcome_that_was_saved_gets_its_answer() -> None:
    """The client is told to retry with the same key, and it happens once in all."""
    store = ForgetfulStore()
    async with opened(store) as desk:
        assert (await desk.ask(create("a"), "k")).answer == render(UNKNOWN)
        retry = await desk.ask(create("a"), "k")

    assert (word(retry), retry.replayed, len(store.tables.events)) == (DONE, True, 1)


async def test_blocked_for_ever_and_unblocked_by_nobody_still_ends() -> None:
    store = ScriptedStore(for_ever=Blocked())
    async with opened(store, Limits(patience=0.1)) as desk:
        replies = await asyncio.gather(*(desk.ask(create(f"c{number}")) for number in range(8)))

        assert {reply.answer for reply in replies} == {render(LATE)}
