"""Requests: the commands that a step asks for, and the answers of their outcomes."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from owed.core.accounts import AccountMembers
from owed.core.adjusting import Adjust, ChargeBalance, CreditBalance, CreditBill
from owed.core.balances import BalanceMembers
from owed.core.bills import BillMembers, Void
from owed.core.command import Command
from owed.core.create import Create
from owed.core.customers import CustomerMembers
from owed.core.members import Members
from owed.core.outcomes import Code, Done, Outcome
from owed.core.payments import Pay
from owed.core.reapplying import UpdateBalance
from owed.core.reversing_adjustments import ReverseAdjustment
from owed.core.taking_back import Portion, RefundPayment, ReversePayment, TakeBack
from owed.core.targets import Target
from owed.core.update import Update
from owed.engine.pending import Idempotency
from owed.model.adjustment import CreditType
from owed.model.answer import Answer
from owed.model.attribution import Actor
from owed.model.tenant_settings import TenantSettings
from owed.simulation.steps import Ask, Verb

MEMBERS: dict[str, type[Members[Any]]] = {
    members.kind: members for members in (CustomerMembers, AccountMembers, BillMembers)
}

TAKE_BACK: dict[Verb, type[TakeBack]] = {Verb.REFUND: RefundPayment, Verb.REVERSE: ReversePayment}

STATUSES = {
    Code.INVALID_REQUEST: 400,
    Code.NOT_FOUND: 404,
    Code.PAYMENT_NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.IDEMPOTENCY_KEY_IN_USE: 409,
    Code.IDEMPOTENCY_KEY_REUSED: 422,
    Code.PAYMENT_REFUSED: 422,
    Code.INSUFFICIENT_CREDIT: 422,
    Code.INTERNAL_ERROR: 500,
    Code.UNAVAILABLE: 503,
}


def actor_of(ask: Ask) -> Actor:
    """Give who asks: the key is the tenant's, the words are the request's."""
    return Actor(f"key_{ask.tenant}", words(ask.number))


def words(number: int) -> str:
    """Give the words of a request, by which all that it does can be told from what others do."""
    return f"request {number}"


def idempotency(ask: Ask) -> Idempotency | None:
    """Give the key of a request, and what tells it from another."""
    if ask.key is None:
        return None
    asked = msgspec.json.encode([ask.verb, ask.kind, ask.name, ask.members], order="deterministic")
    return Idempotency(f"k{ask.key}", hashlib.sha256(asked).digest())


def command(ask: Ask, application_id: Callable[[int], str]) -> Command:
    """Make the command that the API would make.

    Args:
        ask: What is asked, with names that are in place.
        application_id: Gives the id of an application of the payment that the path names, by its place.
    """
    whose: dict[str, Any] = {"tenant_id": ask.tenant, "actor": actor_of(ask)}
    match ask.verb:
        case Verb.CREATE:
            members = msgspec.convert(ask.members, MEMBERS[ask.kind])
            return Create(**whose, members=members, settings=TenantSettings())
        case Verb.UPDATE:
            members = msgspec.convert(ask.members, MEMBERS[ask.kind])
            change = UpdateBalance if isinstance(members, BalanceMembers) else Update
            return change(**whose, name=ask.name, members=members)
        case Verb.VOID:
            return Update(**whose, name=ask.name, members=Void())
        case Verb.PAY:
            return pay(whose, dict(ask.members))
        case Verb.REFUND | Verb.REVERSE:
            return take_back({**whose, "payment": ask.name}, TAKE_BACK[ask.verb], dict(ask.members), application_id)
        case Verb.CHARGE | Verb.CREDIT | Verb.UNDO:
            return adjust(whose, ask)


def pay(whose: dict[str, Any], given: dict[str, Any]) -> Pay:
    """Make the command that takes a payment."""
    targets = []
    for place, application in enumerate(given.pop("applications")):
        (kind,) = application.keys() - {"amount"}
        at = f"/applications/{place}"
        targets.append(Target(kind, application[kind], application["amount"], f"{at}/{kind}", f"{at}/amount"))
    amount = sum(target.amount for target in targets)
    return Pay(**whose, **given, amount=amount, targets=tuple(targets))


def take_back(
    whose: dict[str, Any], kind: type[TakeBack], given: dict[str, Any], application_id: Callable[[int], str]
) -> TakeBack:
    """Make the command that refunds or reverses a payment."""
    if "applications" in given:
        given["portions"] = tuple(
            Portion(application_id(each["place"]), each["amount"], f"/applications/{number}")
            for number, each in enumerate(given.pop("applications"))
        )
    return kind(**whose, **given)


def adjust(whose: dict[str, Any], ask: Ask) -> Adjust | ReverseAdjustment:
    """Make the command that charges or credits an object, or that reverses what was done so."""
    on: dict[str, Any] = {**whose, "object_kind": ask.kind}
    if ask.verb is Verb.UNDO:
        ((kind, name),) = ask.members.items()
        return ReverseAdjustment(**on, object_name=ask.name, kind=kind, name=name)
    if ask.verb is Verb.CHARGE:
        return ChargeBalance(**on, name=ask.name, **ask.members)
    if "type" not in ask.members:
        return CreditBalance(**on, name=ask.name, **ask.members)
    return CreditBill(**on, name=ask.name, **{**ask.members, "type": CreditType(ask.members["type"])})


def render(outcome: Outcome) -> Answer:
    """Make the answer of an outcome."""
    if not isinstance(outcome, Done):
        return Answer(STATUSES[outcome.code], msgspec.json.encode(outcome))
    found = outcome.object
    return Answer(201 if outcome.created else 200, msgspec.json.encode(found.shown()), etag=str(found.version))
