"""What a store promises to the engine: the one on PostgreSQL and the one in memory keep the same promises."""

from datetime import date
from typing import Any

import msgspec
import pytest

from owed.core.accounts import AccountMembers
from owed.core.customers import CustomerMembers
from owed.core.state import State
from owed.engine.store import AnswerKey, Blocked, Conflict, Store, Writing
from owed.model.payment_rules import BillRules
from owed.model.tenant_settings import TenantSettings
from tests.core.samples import (
    RULES,
    create,
    create_bill,
    update,
    update_account,
    update_bill,
    update_settings,
    void,
)
from tests.store.saving import KEPT, SOON, Open, carried_out, created, many, named, standing


@pytest.mark.parametrize("kind", ["customer", "account", "bill"])
async def test_what_is_written_is_read_by_id_and_by_reference(opened: Open, tenant: int, kind: str) -> None:
    async with opened() as store:
        writing = carried_out(State(), *many(tenant))
        await store.write(writing)

        made = [item for item in created(writing) if item.kind == kind]
        assert len(made) == 2
        for item in made:
            assert await standing(store, tenant, item.external_reference, kind) == item
            assert await standing(store, tenant, item.id, kind) == item
            assert await standing(store, tenant + 10_000, item.id, kind) is None


CHANGES = {
    "customer": [update("whole", name=None, email="x@example.com", phone=None, balance=7, payment_rules=None)],
    "account": [update_account("whole", name="Gas", balance=0, metadata={"k": None, "l": ""})],
    "bill": [
        update_bill("whole", due_date=None, currency="USD", payment_rules=None),
        update_bill("whole", amount_paid=1000, due_date=date(2026, 3, 1), metadata={"l": ""}),
    ],
    "voided bill": [void("whole", metadata={"k": None})],
}


@pytest.mark.parametrize("what", CHANGES)
async def test_what_is_changed_is_read_as_it_stands_then(opened: Open, tenant: int, what: str) -> None:
    kind = what.removeprefix("voided ")
    async with opened() as store:
        await store.write(carried_out(State(), *many(tenant)))
        for seed, command in enumerate(CHANGES[what], 2):
            state = await store.read(named(tenant, "whole", kind=kind))
            await store.write(carried_out(state, msgspec.structs.replace(command, tenant_id=tenant), seed=seed))

            ((before, after),) = state.shelves[kind].changed()
            assert after.version == before.version + 1
            assert await standing(store, tenant, "whole", kind) == after


@pytest.mark.parametrize("kind", ["customer", "account", "bill"])
async def test_what_is_not_there_is_not_in_the_state(opened: Open, tenant: int, kind: str) -> None:
    """The id of an object of another kind, to begin with."""
    async with opened() as store:
        writing = carried_out(State(), *many(tenant))
        await store.write(writing)
        others = [item.id for item in created(writing) if item.kind != kind]
        wanted = [*others, "nobody", "bcus_x", "bacc_x", "bill_x", "", "no name\0", "\ud800", "a" * 300]

        state = await store.read(named(tenant, *wanted, kind=kind))
        assert [state.shelves[kind].find(tenant, name) for name in wanted] == [None] * len(wanted)
        assert created(Writing(await store.read([]), {})) == []


async def test_a_text_that_is_one_bills_id_and_anothers_reference_stands_for_both(opened: Open, tenant: int) -> None:
    """Section 1.3: the id is tried first, and whoever decides on what is held must still see the reference taken."""
    async with opened() as store:
        writing = carried_out(State(), create("a", tenant=tenant), create_bill("b", customer="a", tenant=tenant))
        await store.write(writing)
        (first,) = writing.state.bills.created()
        second = carried_out(State(created(writing)), create_bill(first.id, customer="a", tenant=tenant), seed=2)
        await store.write(second)

        held = await held_state(store, tenant, first.id)
        for state in (await store.read(named(tenant, first.id, kind="bill")), held):
            assert state.bills.find(tenant, first.id) == first
        assert held.bills.holder(tenant, first.id)


async def held_state(store: Store, tenant: int, name: str) -> State:
    """Read a bill under its lock."""
    async with store.held(named(tenant, name, kind="bill"), {}) as held:
        return held.state


async def test_a_change_of_what_has_changed_meanwhile_is_a_conflict(opened: Open, tenant: int) -> None:
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant)))
        one, other = await store.read(named(tenant, "a")), await store.read(named(tenant, "a"))
        await store.write(carried_out(one, update("a", tenant=tenant, name="first"), seed=2))

        with pytest.raises(Conflict):
            await store.write(carried_out(other, update("a", tenant=tenant, name="second"), seed=3))
        assert getattr(await standing(store, tenant, "a"), "name", None) == "first"


@pytest.mark.parametrize("taken", ["reference", "key"])
async def test_what_is_taken_is_a_conflict_and_nothing_at_all_is_saved(opened: Open, tenant: int, taken: str) -> None:
    key = AnswerKey(tenant, "k")
    async with opened() as store:
        await store.write(carried_out(State(), create("a", tenant=tenant), answers={key: KEPT}))
        beside = create("beside", tenant=tenant, currency="ZAR", balance=1)
        if taken == "reference":
            writing = carried_out(State(), beside, create("a", tenant=tenant), seed=2)
        else:
            writing = carried_out(State(), beside, answers={key: KEPT}, seed=2)

        with pytest.raises(Conflict):
            await store.write(writing)
        assert await standing(store, tenant, "beside") is None


COMPOSITE = ["customer", "account", "bill"]


@pytest.mark.parametrize("taken", COMPOSITE)
async def test_of_a_composite_with_a_reference_that_is_taken_no_part_is_saved(
    opened: Open, tenant: int, taken: str
) -> None:
    async with opened() as store:
        await store.write(carried_out(State(), *many(tenant)))
        names = {kind: "whole" if kind == taken else f"new-{kind}" for kind in COMPOSITE}
        account = AccountMembers(
            external_reference=names["account"], customer=CustomerMembers(external_reference=names["customer"])
        )
        late = carried_out(State(), create_bill(names["bill"], account=account, tenant=tenant), seed=2)

        with pytest.raises(Conflict):
            await store.write(late)
        with pytest.raises(Conflict):
            async with store.held([], {}) as held:
                await held.write(late)
        found = [await standing(store, tenant, names[kind], kind) for kind in COMPOSITE]
        assert [item is not None for item in found] == [kind == taken for kind in COMPOSITE]


# Settings


async def test_settings_are_there_from_the_start_and_stand_as_they_are_changed(
    opened: Open, merchants_tenant: int
) -> None:
    tenant = merchants_tenant
    bill = BillRules(min_amount=5, underpayment_allowed=True, overpayment_allowed=True)
    changes: list[dict[str, Any]] = [
        {"time_zone": "Asia/Kathmandu"},
        {"payment_rules": {"account": RULES, "bill": bill}},
        {"payment_rules": {"bill": msgspec.structs.replace(bill, max_amount=7)}},
    ]
    async with opened() as store:
        first = await standing(store, tenant, "settings", "settings")
        assert (first.settings, first.version) == (TenantSettings(), 1)
        for number, given in enumerate(changes, 2):
            state = await store.read(named(tenant, "settings", kind="settings"))
            await store.write(carried_out(state, update_settings(tenant=tenant, **given), seed=number))
            ((_, changed),) = state.settings.changed()

            assert await standing(store, tenant, "settings", "settings") == changed
            assert changed.version == number


async def test_settings_that_have_changed_meanwhile_are_a_conflict(opened: Open, merchants_tenant: int) -> None:
    tenant = merchants_tenant
    wanted = named(tenant, "settings", kind="settings")
    async with opened() as store:
        one, other = await store.read(wanted), await store.read(wanted)
        await store.write(carried_out(one, update_settings(tenant=tenant, time_zone="Asia/Kathmandu"), seed=2))

        late = carried_out(other, update_settings(tenant=tenant, require_idempotency_key=True), seed=3)
        with pytest.raises(Conflict):
            await store.write(late)
        settings = (await standing(store, tenant, "settings", "settings")).settings
        assert settings == TenantSettings(time_zone="Asia/Kathmandu")


async def test_settings_that_are_held_are_waited_for_and_then_seen_as_they_stand(
    opened: Open, merchants_tenant: int
) -> None:
    tenant = merchants_tenant
    wanted = named(tenant, "settings", kind="settings")
    async with opened() as store:
        async with store.held(wanted, {}) as held:
            with pytest.raises(Blocked):
                async with store.held(wanted, {}, SOON):
                    pass
            await held.write(carried_out(held.state, update_settings(tenant=tenant, time_zone="Asia/Kathmandu")))

        async with store.held(wanted, {}) as later:
            found = later.state.settings.find(tenant, "settings")
        assert found is not None
        assert (found.settings.time_zone, found.version) == ("Asia/Kathmandu", 2)


async def test_the_settings_of_one_tenant_are_nobody_elses(opened: Open, merchants_tenant: int) -> None:
    async with opened() as store:
        state = await store.read(named(merchants_tenant, "settings", kind="settings"))

        assert state.settings.find(merchants_tenant + 10_000, "settings") is None
