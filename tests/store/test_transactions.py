"""What a transaction of a store promises to the engine: the one on PostgreSQL and the one in memory keep the same."""

import asyncio

import pytest

from owed.core.state import State
from owed.engine.store import AnswerKey, Blocked, Conflict, NamesByKey, Store, Writing
from owed.model.customer import Customer
from tests.core.samples import (
    create,
    update,
)
from tests.store.saving import KEPT, SOON, Open, carried_out, named, standing


async def test_a_transaction_shows_the_objects_the_answers_and_the_keys_that_are_busy(
    opened: Open, tenant: int
) -> None:
    kept, free, busy = (AnswerKey(tenant, key) for key in ("kept", "free", "busy"))
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant), answers={kept: KEPT}))
        async with (
            store.held([], {busy: ()}),
            store.held([], {busy: (), free: tuple(named(tenant, "b")), kept: tuple(named(tenant, "a"))}) as held,
        ):
            assert (held.answers, held.busy) == ({kept: KEPT}, {busy})
            assert held.state.customers.find(tenant, "a") is not None


async def test_a_key_is_busy_until_its_transaction_is_left(opened: Open, tenant: int) -> None:
    key = AnswerKey(tenant, "k")
    async with opened() as store:
        async with store.held([], {key: ()}):
            pass
        with pytest.raises(ZeroDivisionError):
            await fail_holding(store, {key: ()})
        async with store.held([], {key: ()}) as held:
            assert held.busy == set()


async def fail_holding(store: Store, keys: NamesByKey, writing: Writing | None = None) -> None:
    """Leave a transaction by a bug."""
    async with store.held([], keys) as held:
        if writing:
            await held.write(writing)
        raise ZeroDivisionError


async def test_what_is_written_in_a_transaction_counts_when_it_is_left(opened: Open, tenant: int) -> None:
    key = AnswerKey(tenant, "k")
    async with opened() as store:
        async with store.held(named(tenant, "a"), {key: ()}) as held:
            await held.write(carried_out(held.state, create("a", tenant=tenant), answers={key: KEPT}))
            assert await standing(store, tenant, "a") is None

        assert await standing(store, tenant, "a") is not None
        async with store.held([], {key: ()}) as later:
            assert later.answers == {key: KEPT}


async def test_who_leaves_a_transaction_by_an_error_has_written_nothing(opened: Open, tenant: int) -> None:
    async with opened() as store:
        with pytest.raises(ZeroDivisionError):
            await fail_holding(store, {}, carried_out(State(), create("a", tenant=tenant)))

        assert await standing(store, tenant, "a") is None


async def test_an_object_that_is_held_is_waited_for_and_then_seen_as_it_stands(opened: Open, tenant: int) -> None:
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant)))
        waits = asyncio.Event()

        async def hold_too() -> Customer | None:
            waits.set()
            async with store.held(named(tenant, "a"), {}, 5.0) as held:
                return held.state.customers.find(tenant, "a")

        async with store.held(named(tenant, "a"), {}) as held:
            second = asyncio.create_task(hold_too())
            await waits.wait()
            await held.write(carried_out(held.state, update("a", tenant=tenant, name="x"), seed=2))
            assert not second.done()

        assert getattr(await second, "name", None) == "x"


async def test_an_object_that_is_held_too_long_blocks(opened: Open, tenant: int) -> None:
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant), create("b", tenant=tenant)))
        state = await store.read(named(tenant, "a"))
        async with store.held(named(tenant, "a"), {}):
            with pytest.raises(Blocked):
                async with store.held(named(tenant, "b", "a"), {}, SOON):
                    pass
            with pytest.raises(Blocked):
                await store.write(carried_out(state, update("a", tenant=tenant, name="x"), seed=2))
            async with store.held(named(tenant, "b"), {}, SOON):
                pass


async def test_what_is_named_under_a_busy_key_is_not_held(opened: Open, tenant: int) -> None:
    """Its command is not decided in this transaction, so nobody needs to wait for it."""
    key = AnswerKey(tenant, "k")
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant)))
        async with (
            store.held(named(tenant, "a"), {key: ()}),
            store.held([], {key: tuple(named(tenant, "a"))}, SOON) as held,
        ):
            assert held.busy == {key}


async def test_a_transaction_that_is_too_late_for_a_reference_or_a_key_is_a_conflict(opened: Open, tenant: int) -> None:
    """Neither is locked by who creates it: it is not there yet."""
    key = AnswerKey(tenant, "k")
    async with opened() as store:
        for late in (
            carried_out(State(), create("a", tenant=tenant), seed=2),
            carried_out(State(), create("b", tenant=tenant), answers={key: KEPT}, seed=3),
        ):
            with pytest.raises(Conflict):
                await write_late(store, carried_out(State(), create("a", tenant=tenant), answers={key: KEPT}), late)


async def write_late(store: Store, first: Writing, late: Writing) -> None:
    """Write something while a transaction is open, unless it is there already, and then something else in that."""
    async with store.held([], {}) as held:
        if await standing(store, first.state.customers.created()[0].tenant_id, "a") is None:
            await store.write(first)
        await held.write(late)
