"""What commands did, as a store is given it, and what stands in the store then."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Any

import msgspec

from owed.core.command import Command
from owed.core.journal import Journal
from owed.core.outcomes import Done
from owed.core.state import Name, State
from owed.engine.store import AnswerKey, Store, Writing
from owed.model.answer import Answer, KeptAnswer
from tests.core.samples import (
    JANE,
    RULES,
    Stamps,
    create,
    create_account,
    create_bill,
)

Open = Callable[[], AbstractAsyncContextManager[Store]]

KEPT = KeptAnswer(b"fingerprint", Answer(201, b"{}", "/there", '"1"', "Wed, 04 Mar 2026 05:06:07 GMT"))
SOON = 0.01


def carried_out(
    state: State,
    *commands: Command,
    answers: dict[AnswerKey, KeptAnswer] | None = None,
    seed: int = 1,
    stamps: Stamps | None = None,
) -> Writing:
    """Carry commands out on a state, and give what is to be saved."""
    stamp = (stamps or Stamps(seed))()
    for command in commands:
        journal = Journal(command.tenant_id, command.actor, stamp)
        assert isinstance(command.decide(state, journal), Done)
        state.apply(journal)
    return Writing(state, answers or {})


def created(writing: Writing) -> list[Any]:
    """List the objects that a writing creates."""
    return [item for shelf in writing.state.shelves.values() for item in shelf.created()]


def named(tenant: int, *references: str, kind: str = "customer") -> list[Name]:
    return [Name(kind, tenant, reference) for reference in references]


async def standing(store: Store, tenant: int, reference: str, kind: str = "customer") -> Any:
    state = await store.read(named(tenant, reference, kind=kind))
    return state.shelves[kind].find(tenant, reference)


WHOLE: dict[str, Any] = {"payment_rules": RULES, "metadata": {"k": "v"}}
MONEY: dict[str, Any] = {"currency": "ZAR", "balance": -5}
DATES: dict[str, Any] = {"bill_date": date(2026, 1, 31), "due_date": date(2026, 2, 28)}


def many(tenant: int) -> list[Command]:
    """Give what makes objects of every kind, with all of their members and with none."""
    commands = [
        create("whole", **WHOLE, **MONEY, actor=JANE, name="John", email="j@example.com", phone="+271"),
        create("bare", payment_rules=None),
        create_account("whole", customer="whole", **WHOLE, **MONEY, name="Water"),
        create_account("bare", customer="bare", payment_rules=None),
        create_bill("whole", account="whole", **WHOLE, **DATES, actor=JANE),
        create_bill("bare", customer="bare", payment_rules=None),
    ]
    return [msgspec.structs.replace(command, tenant_id=tenant) for command in commands]
