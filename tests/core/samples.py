"""What tests of the core are made of: commands, a stamp that repeats, a state to decide them on."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from owed.core.command import Command
from owed.core.customers import CreateCustomer, CustomerMembers, UpdateCustomer
from owed.core.journal import Journal
from owed.core.ledger import seal
from owed.core.outcomes import Done, Fault, Outcome, Refused
from owed.core.preconditions import IfMatch
from owed.core.state import State
from owed.model.attribution import Actor
from owed.model.customer import Customer
from owed.model.identifiers import IdSource
from owed.model.payment_rules import DEFAULT_RULES, PaymentRules
from owed.model.transfer import Transfer

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KEY = Actor("key_1")
JANE = Actor("key_1", "Jane", "moved house")
RULES = PaymentRules(100, 5_000, underpayment_allowed=False, overpayment_allowed=True)


class Stamps:
    """Stamps that follow from a seed: the time stands still until a test moves it."""

    def __init__(self, seed: int = 1, now: datetime = NOW) -> None:
        self.now = now
        self._random = Random(seed)
        self._ids = IdSource(self._random)

    def __call__(self) -> "SeededStamp":
        return SeededStamp(self.now, self._ids, self._random)


class SeededStamp:
    """The stamp of one batch."""

    def __init__(self, now: datetime, ids: IdSource, random: Random) -> None:
        self.now = now
        self._ids = ids
        self._random = random

    def new_id(self, prefix: str) -> str:
        return self._ids.new(prefix, int(self.now.timestamp() * 1000))

    def new_salt(self) -> bytes:
        return self._random.randbytes(16)


def create(
    external_reference: str = "UCR1",
    *,
    tenant: int = 1,
    actor: Actor = KEY,
    faults: tuple[Fault, ...] = (),
    **members: Any,
) -> CreateCustomer:
    given = CustomerMembers(external_reference=external_reference, **members)
    return CreateCustomer(tenant, actor, given, DEFAULT_RULES, faults)


def update(
    customer: str = "UCR1",
    /,
    *,
    tenant: int = 1,
    actor: Actor = KEY,
    if_match: IfMatch = None,
    faults: tuple[Fault, ...] = (),
    **members: Any,
) -> UpdateCustomer:
    return UpdateCustomer(tenant, actor, customer, CustomerMembers(**members), if_match, faults)


class Books:
    """One tenant's books: commands are decided one after the other, each a batch of its own."""

    def __init__(self, *commands: Command, stamps: Stamps | None = None) -> None:
        self.stamps = stamps or Stamps()
        self.state = State()
        for command in commands:
            self.done(command)

    def decide(self, command: Command) -> Outcome:
        journal = Journal(command.tenant_id, command.actor, self.stamps())
        outcome = command.decide(self.state, journal)
        if isinstance(outcome, Done):
            self.state.apply(journal)
        return outcome

    def done(self, command: Command) -> Customer:
        outcome = self.decide(command)
        assert isinstance(outcome, Done), outcome
        return outcome.object

    def refused(self, command: Command) -> Refused:
        outcome = self.decide(command)
        assert isinstance(outcome, Refused), outcome
        return outcome


def refuse_broken(transfers: Iterable[Transfer]) -> None:
    """Assert that the transfers of one obligation are a whole chain, from the first to the last."""
    total, previous = 0, b""
    for version, transfer in enumerate(transfers, start=1):
        total += transfer.amount
        assert (transfer.version, transfer.total_after) == (version, total)
        assert transfer.hash == seal(transfer, previous)
        previous = transfer.hash
