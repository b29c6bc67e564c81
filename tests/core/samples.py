"""What tests of the core are made of: commands, a stamp that repeats, a state to decide them on."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.accounts import AccountMembers
from owed.core.adjusting import ChargeBalance, CreditBalance, CreditBill
from owed.core.balances import BalanceMembers
from owed.core.bills import BillMembers, Void
from owed.core.command import Command
from owed.core.create import Create
from owed.core.customers import CustomerMembers
from owed.core.journal import Journal
from owed.core.ledger import seal
from owed.core.members import Members
from owed.core.outcomes import Done, Fault, Outcome, Refused
from owed.core.payments import Pay
from owed.core.preconditions import IfMatch
from owed.core.reallocating import Allocate, MovePayment
from owed.core.reapplying import UpdateBalance
from owed.core.reversing_adjustments import ReverseAdjustment
from owed.core.settings import SettingsMembers
from owed.core.state import State
from owed.core.taking_back import Portion, RefundPayment, ReversePayment
from owed.core.targets import Target
from owed.core.update import Update
from owed.model.adjustment import CreditType
from owed.model.attribution import Actor
from owed.model.identifiers import IdSource
from owed.model.payment_rules import DefaultRules, PaymentRules
from owed.model.tenant_settings import SettingsRecord, TenantSettings
from owed.model.transfer import Transfer

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KEY = Actor("key_1")
JANE = Actor("key_1", "Jane", "moved house")
RULES = PaymentRules(100, 5_000, underpayment_allowed=False, overpayment_allowed=True)
DEFAULT_RULES = DefaultRules()
STARTING = TenantSettings()
"""The settings that a new merchant starts with."""


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

    def new_secret(self) -> bytes:
        return self._random.randbytes(32)


def create(external_reference: str = "UCR1", **given: Any) -> Create:
    """Create a customer. Here as below, what is given besides members is as in `creation`, or in `change`."""
    return creation(CustomerMembers, external_reference=external_reference, **given)


def create_account(external_reference: str = "ACC1", **given: Any) -> Create:
    return creation(AccountMembers, external_reference=external_reference, **given)


def create_bill(
    external_reference: str = "INV1", *, currency: Any = "ZAR", amount_due: Any = 1000, **given: Any
) -> Create:
    own = {"external_reference": external_reference, "currency": currency, "amount_due": amount_due}
    return creation(BillMembers, **own, **given)


def update(customer: str = "UCR1", /, **given: Any) -> Update:
    return change(CustomerMembers, customer, **given)


def update_account(account: str = "ACC1", /, **given: Any) -> Update:
    return change(AccountMembers, account, **given)


def update_bill(bill: str = "INV1", /, **given: Any) -> Update:
    return change(BillMembers, bill, **given)


def void(bill: str = "INV1", /, **given: Any) -> Update:
    return change(Void, bill, **given)


def pay(name: str = "INV1", amount: int = 1000, /, *, kind: str = "bill", **given: Any) -> Pay:
    """Pay one object. Here as below, what is given besides is as in `Pay`."""
    return payment([Target(kind, name, amount, f"/{kind}")], amount, **given)


def pay_many(*parts: tuple[str, str, int], **given: Any) -> Pay:
    """Pay several objects at once.

    Args:
        parts: The kind of each, its name, and the amount that it gets.
    """
    targets = [
        Target(kind, name, amount, f"/applications/{number}/{kind}", f"/applications/{number}/amount")
        for number, (kind, name, amount) in enumerate(parts)
    ]
    return payment(targets, sum(target.amount for target in targets), **given)


def payment(
    targets: Iterable[Target],
    amount: int,
    *,
    tenant: int = 1,
    actor: Actor = KEY,
    currency: Any = "ZAR",
    **given: Any,
) -> Pay:
    return Pay(tenant_id=tenant, actor=actor, amount=amount, currency=currency, targets=tuple(targets), **given)


def receive(*parts: tuple[str, str, int], amount: int = 1000, **given: Any) -> Pay:
    """Record received money; what is given of its parts is as in `pay_many`."""
    return msgspec.structs.replace(pay_many(*parts, is_received=True, **given), amount=amount)


def allocate(
    payment: str, /, *parts: tuple[str, str, int], tenant: int = 1, actor: Actor = KEY, **given: Any
) -> Allocate:
    """Apply unallocated money of a payment; what is given of its parts is as in `pay_many`."""
    return Allocate(tenant_id=tenant, actor=actor, payment=payment, targets=pay_many(*parts).targets, **given)


def allocate_all(payment: str, /, kind: str, name: str, **given: Any) -> Allocate:
    """Apply to one object all that fits of a payment's unallocated money."""
    return msgspec.structs.replace(allocate(payment, (kind, name, 0), **given), is_all=True)


def move(
    payment: str,
    application: str,
    /,
    kind: str = "",
    name: str = "",
    *,
    tenant: int = 1,
    actor: Actor = KEY,
    **given: Any,
) -> MovePayment:
    """Move what an application holds to an object, or make it unallocated money where none is named."""
    target = Target(kind, name, 0, f"/{kind}") if kind else None
    return MovePayment(tenant_id=tenant, actor=actor, payment=payment, application=application, target=target, **given)


def refund(
    payment: str, /, *wanted: tuple[str, int], tenant: int = 1, actor: Actor = KEY, **given: Any
) -> RefundPayment:
    """Refund a payment.

    Args:
        wanted: The id of each application, and the amount that is wanted of it; none: of the newest first.
    """
    return RefundPayment(tenant_id=tenant, actor=actor, payment=payment, portions=portions(wanted), **given)


def reverse(
    payment: str,
    /,
    *wanted: tuple[str, int],
    tenant: int = 1,
    actor: Actor = KEY,
    reason: str | None = "dishonoured",
    **given: Any,
) -> ReversePayment:
    """Reverse a payment; what is wanted is as in `refund`."""
    return ReversePayment(
        tenant_id=tenant, actor=actor, payment=payment, portions=portions(wanted), reason=reason, **given
    )


def charge(
    name: str = "UCR1",
    amount: int = 100,
    /,
    *,
    kind: str = "customer",
    tenant: int = 1,
    actor: Actor = KEY,
    **given: Any,
) -> ChargeBalance:
    """Charge a balance. Here as below, what is given besides is as in the command."""
    return ChargeBalance(tenant_id=tenant, actor=actor, object_kind=kind, name=name, amount=amount, **given)


def credit(
    name: str = "UCR1",
    amount: int = 100,
    /,
    *,
    kind: str = "customer",
    tenant: int = 1,
    actor: Actor = KEY,
    **given: Any,
) -> CreditBalance:
    return CreditBalance(tenant_id=tenant, actor=actor, object_kind=kind, name=name, amount=amount, **given)


def credit_bill(
    name: str = "INV1",
    amount: int = 100,
    credit_type: str = "discount",
    /,
    *,
    tenant: int = 1,
    actor: Actor = KEY,
    **given: Any,
) -> CreditBill:
    own: dict[str, Any] = {"object_kind": "bill", "name": name, "amount": amount, "type": CreditType(credit_type)}
    return CreditBill(tenant_id=tenant, actor=actor, **own, **given)


def undo(
    done: str,
    /,
    *,
    on: str = "UCR1",
    object_kind: str = "customer",
    kind: str = "charge",
    tenant: int = 1,
    actor: Actor = KEY,
    **given: Any,
) -> ReverseAdjustment:
    """Reverse a charge, or a credit.

    Args:
        done: Its id or external reference.
        on: What it is on.
    """
    own: dict[str, Any] = {"object_kind": object_kind, "object_name": on, "kind": kind, "name": done}
    return ReverseAdjustment(tenant_id=tenant, actor=actor, **own, **given)


def portions(wanted: Iterable[tuple[str, int]]) -> tuple[Portion, ...] | UnsetType:
    numbered = enumerate(wanted)
    return tuple(Portion(name, amount, f"/applications/{number}") for number, (name, amount) in numbered) or UNSET


def creation(
    noun: type[Members[Any]],
    /,
    *,
    tenant: int = 1,
    actor: Actor = KEY,
    settings: TenantSettings = STARTING,
    faults: tuple[Fault, ...] = (),
    **members: Any,
) -> Create:
    return Create(tenant_id=tenant, actor=actor, members=noun(**members), settings=settings, faults=faults)


def change(
    noun: type[Members[Any]],
    called: str,
    /,
    *,
    tenant: int = 1,
    actor: Actor = KEY,
    if_match: IfMatch = None,
    faults: tuple[Fault, ...] = (),
    **members: Any,
) -> Update:
    names = (*noun.fixed, *noun.derived)
    sent_back = {name: members.pop(name) for name in names if name in members}
    given: Any = noun(**members, sent_back=sent_back)
    command = UpdateBalance if issubclass(noun, BalanceMembers) else Update
    return command(tenant_id=tenant, actor=actor, name=called, members=given, if_match=if_match, faults=faults)


def update_settings(
    *, tenant: int = 1, actor: Actor = KEY, if_match: IfMatch = None, faults: tuple[Fault, ...] = (), **members: Any
) -> Update:
    given = SettingsMembers(**members)
    return Update(
        tenant_id=tenant, actor=actor, name=SettingsRecord.id, members=given, if_match=if_match, faults=faults
    )


class Books:
    """One tenant's books: commands are decided one after the other, each a batch of its own."""

    def __init__(self, *commands: Command, stamps: Stamps | None = None, settings: TenantSettings = STARTING) -> None:
        self.stamps, self.settings = stamps or Stamps(), settings
        self.state = State([SettingsRecord(tenant_id=1, settings=STARTING, updated_at=self.stamps.now)])
        for command in commands:
            self.done(command)

    def decide(self, command: Command) -> Outcome:
        journal = Journal(command.tenant_id, command.actor, self.stamps(), self.settings)
        outcome = command.decide(self.state, journal)
        if isinstance(outcome, Done):
            self.state.apply(journal)
        return outcome

    def done(self, command: Command) -> Any:
        """Carry a command out, and give the object as it stands then."""
        outcome = self.decide(command)
        assert isinstance(outcome, Done), outcome
        return outcome.object

    def refused(self, command: Command) -> Refused:
        """See a command refused, and that it left nothing behind."""
        before = self.kept()
        outcome = self.decide(command)
        assert isinstance(outcome, Refused), outcome
        assert self.kept() == before
        return outcome

    def kept(self) -> tuple[int, ...]:
        """Count all that would have to be saved."""
        state = self.state
        objects = [len(shelf.created()) + len([*shelf.changed()]) for shelf in state.shelves.values()]
        return *objects, len(state.transfers), len(state.events), len(state.attributions)

    def told(self, object_id: str) -> list[str]:
        """List the types of the events that tell of an object."""
        return [event.type for event in self.state.events if event.object_id == object_id]

    def posted(self, object_id: str) -> list[Transfer]:
        """List the transfers of an obligation."""
        return [transfer for transfer in self.state.transfers if transfer.obligation_id == object_id]


def places(refusal: Refused) -> list[str]:
    """List where the faults of a refusal are."""
    return [fault.pointer for fault in refusal.faults]


def refuse_broken(transfers: Iterable[Transfer]) -> None:
    """Assert that the transfers of one obligation are a whole chain, from the first to the last."""
    total, previous = 0, b""
    for version, transfer in enumerate(transfers, start=1):
        total += transfer.amount
        assert (transfer.version, transfer.total_after) == (version, total)
        assert transfer.hash == seal(transfer, previous)
        previous = transfer.hash
