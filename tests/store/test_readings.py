"""What is read of the ledger for a decision: both stores read what stands in the transfers."""

from datetime import datetime
from random import Random
from typing import Any

import pytest

from owed.core.command import Command
from owed.core.reapplying import added_up
from owed.core.state import Name, State, movement_since
from owed.engine.store import Store
from owed.model.movement import Movement
from owed.model.payment_rules import PaymentRules
from owed.model.transfer import Transfer
from tests.core.samples import NOW, SECOND, Stamps, create, create_account, pay, refund, update, update_account
from tests.store.saving import Open, carried_out, named, standing

OPEN = PaymentRules(1, 999_999_999_999, underpayment_allowed=True, overpayment_allowed=True)


def some_command(random: Random, kind: str, tenant: int, number: int) -> Command:
    """Give a payment, a new balance, or a refund of the payment before."""
    way = random.random()
    if way < 0.5 or number == 0:
        return pay("A", random.randint(1, 99), kind=kind, external_reference=f"P{number}", tenant=tenant)
    if way < 0.8:
        change = update if kind == "customer" else update_account
        return change("A", balance=random.randint(-999, 999), tenant=tenant)
    return refund("P0", amount=1, tenant=tenant)


async def lived(store: Store, kind: str, tenant: int, seed: int) -> tuple[list[Transfer], list[datetime]]:
    """Let a balance live some days; give its transfers, and times before, between and at them."""
    random, stamps = Random(seed), Stamps(seed)
    own: dict[str, Any] = {"currency": "ZAR", "payment_rules": OPEN, "tenant": tenant}
    owner = [create("A", **own)] if kind == "customer" else [create("C", tenant=tenant)]
    account = [create_account("A", customer="C", **own)] if kind == "account" else []
    writing = carried_out(State(), *owner, *account, stamps=stamps)
    await store.write(writing)
    transfers = list(writing.state.transfers)
    for number in range(12):
        stamps.now += random.choice([0 * SECOND, SECOND])
        names = [*named(tenant, "A", kind=kind), *named(tenant, "P0", kind="payment")]
        writing = carried_out(await store.read(names), some_command(random, kind, tenant, number), stamps=stamps)
        if not writing.is_empty():
            await store.write(writing)
        transfers += writing.state.transfers
    return transfers, sorted({NOW - SECOND, *(each.recorded_at for each in transfers), stamps.now + SECOND})


@pytest.mark.parametrize("kind", ["customer", "account"])
@pytest.mark.parametrize("seed", range(5))
async def test_a_movement_is_what_the_transfers_since_add_up_to(
    opened: Open, tenant: int, kind: str, seed: int
) -> None:
    async with opened() as store:
        transfers, times = await lived(store, kind, tenant, seed)
        item = await standing(store, tenant, "A", kind)
        objects = [Name(kind, tenant, text) for text in ("A", item.id)]
        for since in times:
            for name in objects:
                asked = [name, movement_since(name, since)]
                async with store.held(asked, {}) as held:
                    states = [await store.read(asked), held.state]
                moved = added_up(transfers, since)
                assert [each.movements[tenant, item.id, since] for each in states] == [moved, moved]
        assert added_up(transfers, times[-1]).number == 0 < added_up(transfers, times[0]).number


async def test_nothing_is_read_of_what_is_not_there_or_has_no_transfer(opened: Open, tenant: int) -> None:
    async with opened() as store:
        await store.write(carried_out(State(), create("A", tenant=tenant)))
        nobodies = [Name("customer", tenant, text) for text in ("nobody", "a:b", "", "\0")]
        others = [Name("account", tenant, "A"), Name("customer", tenant + 10_000, "A")]
        bare = Name("customer", tenant, "A")
        names = [bare, *nobodies, *others]
        state = await store.read([*names, *(movement_since(name, NOW) for name in names)])

        assert set(state.movements.values()) <= {Movement()}
