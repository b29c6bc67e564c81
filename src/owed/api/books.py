"""Books: requests of a client, decided as the engine decides them, with no database."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from owed.api.adjustments import Adjusting
from owed.api.composites import Object
from owed.api.fields import Faults
from owed.api.forms import read_members
from owed.api.payment_documents import PaymentDocuments
from owed.api.payments import read_payment
from owed.api.taken_back import REFUNDS, REVERSALS
from owed.core.adjusting import Adjust
from owed.core.changing_payments import ChangePayment
from owed.core.command import Command
from owed.core.create import Create
from owed.core.journal import Journal
from owed.core.members import Members
from owed.core.outcomes import Done, Outcome, Refused
from owed.core.payments import Pay
from owed.core.stamp import Stamp
from owed.core.state import State
from owed.core.taking_back import RefundPayment, ReversePayment
from owed.core.update import Update
from owed.model.attribution import Actor
from owed.model.named import Named
from owed.model.tenant_settings import TenantSettings

Json = dict[str, Any]


class Whose(NamedTuple):
    """Whose books they are, and who writes in them."""

    tenant_id: int
    actor: Actor
    settings: TenantSettings


class Asked(Protocol):
    """A request, as a client would send it."""

    def command(self, whose: Whose) -> Command:
        """Make the command that the request would be."""


class ObjectAsked(NamedTuple):
    """A request that creates a customer, an account or a bill, or changes one.

    Attributes:
        form: What its members may be.
        kind: Takes them.
        name: The object that it is to change; empty where it makes one.
    """

    form: Object
    kind: type[Members[Any]]
    given: Json
    name: str = ""

    def command(self, whose: Whose) -> Create | Update:
        """Make the command that the request would be."""
        faults = Faults()
        members = read_members(self.form, self.kind, self.given, "", faults)
        always: Json = {"tenant_id": whose.tenant_id, "actor": whose.actor, "faults": tuple(faults.found)}
        if self.name:
            return Update(**always, members=members, name=self.name)
        return Create(**always, members=members, settings=whose.settings)


class PaymentAsked(NamedTuple):
    """A request for a payment, or to check one."""

    given: Json

    def command(self, whose: Whose) -> Pay:
        """Make the command that the request would be."""
        faults = Faults()
        given = read_payment(self.given, faults)
        return Pay(tenant_id=whose.tenant_id, actor=whose.actor, faults=tuple(faults.found), **given)


class TakingBackAsked(NamedTuple):
    """A request that refunds or reverses a payment.

    Attributes:
        payment: The payment's id or external reference.
    """

    makes: type[RefundPayment | ReversePayment]
    payment: str
    given: Json

    def command(self, whose: Whose) -> RefundPayment | ReversePayment:
        """Make the command that the request would be."""
        faults = Faults()
        given = (REFUNDS if self.makes is RefundPayment else REVERSALS).read(self.given, faults)
        always: Json = {"tenant_id": whose.tenant_id, "actor": whose.actor, "faults": tuple(faults.found)}
        return self.makes(**always, payment=self.payment, **given)


class ReallocationAsked(NamedTuple):
    """A request that applies unallocated money, or moves what is applied.

    Attributes:
        payment: The payment's id or external reference.
    """

    way: PaymentDocuments
    payment: str
    given: Json

    def command(self, whose: Whose) -> ChangePayment[Any]:
        """Make the command that the request would be."""
        faults = Faults()
        given = self.way.read(self.given, faults)
        always: Json = {"tenant_id": whose.tenant_id, "actor": whose.actor, "faults": tuple(faults.found)}
        return self.way.command(**always, payment=self.payment, **given)


class AdjustmentAsked(NamedTuple):
    """A request that charges or credits an object.

    Attributes:
        way: Which of both, and on which kind of object.
        name: The object's id or external reference.
    """

    way: Adjusting
    name: str
    given: Json

    def command(self, whose: Whose) -> Adjust:
        """Make the command that the request would be."""
        faults = Faults()
        given = self.way.read(self.given, faults)
        always: Json = {"tenant_id": whose.tenant_id, "actor": whose.actor, "faults": tuple(faults.found)}
        return self.way.command(**always, object_kind=self.way.object_kind, name=self.name, **given)


class Books:
    """The books of one tenant.

    Args:
        stamp: Makes the stamp of each request.
    """

    def __init__(self, tenant_id: int, key_id: str, settings: TenantSettings, stamp: Callable[[], Stamp]) -> None:
        self.state = State()
        self._whose, self._stamp = Whose(tenant_id, Actor(key_id), settings), stamp

    def enter(self, asked: Asked) -> None:
        """Do what is asked."""
        journal = self._journal()
        done(self._decided(asked, journal))
        self.state.apply(journal)

    def outcome(self, asked: Asked) -> Named:
        """Give the object as it would be if what is asked were done."""
        return done(self._decided(asked, self._journal()))

    def refusal(self, asked: Asked) -> Refused:
        """Give what refuses a request."""
        outcome = self._decided(asked, self._journal())
        if isinstance(outcome, Refused):
            return outcome
        raise ValueError(outcome)

    def checked(self, asked: PaymentAsked) -> Json:
        """Say what a payment would come to."""
        answer = asked.command(self._whose).check(self.state, self._journal())
        if isinstance(answer, dict):
            return answer
        raise ValueError(answer)

    def _journal(self) -> Journal:
        return Journal(self._whose.tenant_id, self._whose.actor, self._stamp())

    def _decided(self, asked: Asked, journal: Journal) -> Outcome:
        return asked.command(self._whose).decide(self.state, journal)


def done(outcome: Outcome) -> Named:
    """Give the object of an outcome that is no refusal."""
    if isinstance(outcome, Done):
        return outcome.object
    raise ValueError(outcome)
