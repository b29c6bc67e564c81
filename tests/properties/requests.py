"""Requests as a merchant's client sends them, and the commands that the API's own forms make of them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from owed.api import settings as settings_form
from owed.api.accounts import ACCOUNTS
from owed.api.adjustments import WAYS, Adjusting
from owed.api.bills import BILLS, VOID
from owed.api.customers import CUSTOMERS
from owed.api.fields import Faults
from owed.api.forms import read_members
from owed.api.payment_documents import PaymentDocuments
from owed.api.payments import read_payment
from owed.api.reallocations import ALLOCATIONS, MOVES
from owed.api.resource import Resource
from owed.api.taken_back import REFUNDS, REVERSALS, TakingBack
from owed.core.bills import Void
from owed.core.command import Command
from owed.core.create import Create
from owed.core.erasing import Erase
from owed.core.journal import Journal
from owed.core.members import Members
from owed.core.outcomes import Outcome
from owed.core.payments import Pay
from owed.core.preconditions import IfMatch
from owed.core.reversing_adjustments import ReverseAdjustment
from owed.core.state import Name, State
from owed.core.taking_back import RefundPayment, ReversePayment, TakeBack
from owed.core.update import Update
from owed.engine.pending import Idempotency
from owed.model.account import Account
from owed.model.attribution import Actor
from owed.model.customer import Customer
from owed.model.tenant_settings import SettingsRecord, TenantSettings
from tests.core.samples import KEY, Stamps

CREATE, UPDATE, VOIDING, PAY, TAKE_BACK = "create", "update", "void", "pay", "take back"
ADJUST, UNDO, ERASE, REALLOCATE = "adjust", "undo", "erase", "reallocate"

RESOURCES: dict[str, Resource[Any]] = {resource.kind: resource for resource in (CUSTOMERS, ACCOUNTS, BILLS)}


TAKING_BACK: dict[str, tuple[TakingBack, type[TakeBack]]] = {
    "refund": (REFUNDS, RefundPayment),
    "reversal": (REVERSALS, ReversePayment),
}


ADJUSTING: dict[tuple[str, str], Adjusting] = {(way.kind, way.object_kind): way for way in WAYS}
KINDS = {"bcus": "customer", "bacc": "account", "bill": "bill"}
"""What an object is, by the beginning of its id."""


class Nth(NamedTuple):
    """Stands, in a request that is thought of before it is sent, for a name of one of the objects that will be there.

    Attributes:
        by: Which of its names; "stranger" is the id of an object that may be another tenant's, "application" that of
            the first application of a payment.
    """

    kind: str
    number: int
    by: str


class Fresh(NamedTuple):
    """Stands for a reference that nobody has had.

    Attributes:
        is_contested: Whether all that are sent at the same moment want the same.
    """

    is_contested: bool = False


class Request(NamedTuple):
    """A request, whole but for its method and path.

    Attributes:
        name: The object that the path names, if it names one. To adjust one is to name its kind too, and to undo that
            is to name the object, and what was done to it.
        is_merge: Whether the body is a merge patch.
        is_whole: Whether the object is sent back as it was shown, with the body over it.
    """

    verb: str
    kind: str
    body: Any
    name: Any = ""
    if_match: IfMatch = None
    is_merge: bool = False
    is_whole: bool = False
    tenant_id: int = 0
    actor: Actor = KEY
    key: str | None = None

    @property
    def idempotency(self) -> Idempotency | None:
        """Give the key, and what tells this request from another."""
        told_apart = (*self[:4], sorted(self.if_match or ()), self.is_merge)
        return Idempotency(self.key, repr(told_apart).encode()) if self.key else None

    def parts(self) -> set[tuple[int, str, str]]:
        """Name all that it would create: tenants, kinds, references."""
        return {(self.tenant_id, *part) for part in parts_of(self.kind, self.body)}


def parts_of(kind: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield kind and reference of everything that a right body would create."""
    yield kind, body["external_reference"]
    for name in ("customer", "account"):
        if isinstance(body.get(name), dict):
            yield from parts_of(name, body[name])


class Sent:
    """A command on its way, with ids of its own: the same in whatever order, and however often, it is decided."""

    def __init__(self, request: Request, settings: TenantSettings, number: int) -> None:
        self.request = request
        self.tenant_id, self.actor = request.tenant_id, request.actor
        self.settings = settings
        self._command = command(request, settings)
        self._number = number
        self.reads, self.claims = self._command.reads, self._command.claims

    def decide(self, state: State, journal: Journal) -> Outcome:
        journal.stamp = Stamps(self._number, journal.stamp.now)()
        return self._command.decide(state, journal)


def command(request: Request, settings: TenantSettings) -> Command:
    """Read a request, as the API does."""
    faults = Faults()
    tenant_id, actor, if_match = request.tenant_id, request.actor, request.if_match
    if request.kind == SettingsRecord.kind:
        given = settings_form.UPDATE.check_members(request.body, "", faults, frozenset() if request.is_merge else None)
        wanted = settings_form.settings_members(given)
        found = tuple(faults.found)
        return Update(
            tenant_id=tenant_id, actor=actor, name="settings", members=wanted, if_match=if_match, faults=found
        )
    if request.verb == PAY:
        given = read_payment(request.body, faults)
        return Pay(tenant_id=tenant_id, actor=actor, faults=tuple(faults.found), **given)
    if request.verb == TAKE_BACK:
        form, take_back = TAKING_BACK[request.kind]
        given = form.read(request.body, faults)
        whose: dict[str, Any] = {"tenant_id": tenant_id, "actor": actor, "faults": tuple(faults.found)}
        return take_back(**whose, payment=request.name, if_match=if_match, **given)
    if request.verb in {ADJUST, UNDO, ERASE, REALLOCATE}:
        return of_verb(request, faults)
    members = members_of(request, faults)
    found = tuple(faults.found)
    if request.verb == CREATE:
        return Create(tenant_id=tenant_id, actor=actor, members=members, settings=settings, faults=found)
    change = Update if request.verb == VOIDING else RESOURCES[request.kind].change
    return change(tenant_id=tenant_id, actor=actor, name=request.name, members=members, if_match=if_match, faults=found)


def of_verb(request: Request, faults: Faults) -> Command:
    """Read a request that does something else than to make, change or pay."""
    if request.verb == ERASE:
        return erasing(request)
    return reallocating(request, faults) if request.verb == REALLOCATE else adjusting(request, faults)


def reallocating(request: Request, faults: Faults) -> Command:
    """Read a request that applies unallocated money of a payment, or moves what is applied."""
    way: PaymentDocuments = ALLOCATIONS if request.kind == ALLOCATIONS.kind else MOVES
    given = way.read(request.body, faults)
    whose: dict[str, Any] = {"tenant_id": request.tenant_id, "actor": request.actor, "if_match": request.if_match}
    return way.command(**whose, payment=request.name, faults=tuple(faults.found), **given)


def adjusting(request: Request, faults: Faults) -> Command:
    """Read a request that charges or credits an object, or that reverses what was done so."""
    whose: dict[str, Any] = {"tenant_id": request.tenant_id, "actor": request.actor, "if_match": request.if_match}
    if request.verb == UNDO:
        on, done = request.name
        return ReverseAdjustment(**whose, object_kind=KINDS[on[:4]], object_name=on, kind=request.kind, name=done)
    object_kind, name = request.name
    way = ADJUSTING[request.kind, object_kind]
    given = way.read(request.body, faults)
    return way.command(**whose, object_kind=object_kind, name=name, faults=tuple(faults.found), **given)


def erasing(request: Request) -> Erase:
    """Read the erasure of a customer and some accounts, as the API has looked up their ids."""
    accounts = (Name(Account.kind, request.tenant_id, each) for each in dict.fromkeys(request.body["accounts"]))
    return Erase(
        tenant_id=request.tenant_id,
        actor=request.actor,
        subject=request.name,
        objects=(Name(Customer.kind, request.tenant_id, request.name), *accounts),
        if_match=request.if_match,
    )


def members_of(request: Request, faults: Faults) -> Members[Any]:
    """Read what a request gives of an object."""
    resource = RESOURCES[request.kind]
    if request.verb == VOIDING:
        return read_members(VOID, Void, request.body, "", faults)
    form = resource.create_form if request.verb == CREATE else resource.update_form
    clearable = resource.clearable if request.is_merge else None
    return read_members(form, resource._members, request.body, "", faults, clearable)
