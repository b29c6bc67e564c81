"""The routes of payments: those that are measured."""

# ruff: noqa: FBT003  (it reads as people write such services)

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bench.peers import contract
from bench.peers.bodies import PaymentCreate, Target
from bench.peers.contract import Problem
from bench.peers.rules import MAX_BALANCE, MAX_BILL, Explained, Payable, explain
from bench.peers.usual_stack.answers import Db, Key, RequiredKey, finish, kept_answer
from bench.peers.usual_stack.application import app
from bench.peers.usual_stack.journal import record_applied
from bench.peers.usual_stack.shown import AccountOut, BillOut, CheckOut, CustomerOut, PaymentOut
from bench.peers.usual_stack.tables import Account, ApiKey, Application, Bill, Customer, Payment

PATH = "/billing/payments"
TABLES = {"customer": (Customer, "bcus_"), "account": (Account, "bacc_"), "bill": (Bill, "bill_")}
SHOWN = {Customer: CustomerOut, Account: AccountOut, Bill: BillOut}

Owing = Customer | Account | Bill


@app.post(PATH, status_code=201)
async def create(
    request: Request, body: PaymentCreate, session: Db, key: Key, idempotency_key: RequiredKey
) -> Response:
    fingerprint = contract.fingerprint(request, body)
    if kept := await kept_answer(session, key, idempotency_key, fingerprint):
        return kept
    try:
        payment = await pay(session, key, body)
    except Problem as problem:
        await session.rollback()
        if problem.status == 400:
            raise
        await session.refresh(key)
        return await finish(session, key, idempotency_key, fingerprint, problem.status, problem.body(request))
    text, location = PaymentOut.of(payment).json_text(), f"{PATH}/{payment.id}"
    return await finish(session, key, idempotency_key, fingerprint, 201, text, location, contract.etag(1))


@app.post(f"{PATH}/check")
async def check(body: PaymentCreate, session: Db, key: Key) -> Response:
    """Say what a payment would do; the session ends without a commit."""
    targets = body.targets()
    things = await named(session, key, body, targets)
    explained = explained_all(body, targets, things)
    now = datetime.now(UTC)
    for target, thing, each in zip(targets, things, explained, strict=True):
        if not each.rules:
            add(thing, -target.amount, now)
    rules, members = summary(explained)
    if len(targets) > 1:
        members["applications"] = shown_each(targets, things, explained)
    after = [SHOWN[type(thing)].of(thing) for thing in things]
    checked = CheckOut(allowed=not rules, rules=rules, after=after, **members)
    return Response(checked.json_text(), media_type="application/json")


async def pay(session: AsyncSession, key: ApiKey, body: PaymentCreate) -> Payment:
    """Apply a payment to what it names, locked, or raise what forbids it."""
    targets = body.targets()
    things = await named(session, key, body, targets, lock=True)
    await refuse_duplicate(session, key, body)
    refuse(body, targets, things)
    payment = new_payment(key, body, targets, things)
    session.add(payment)
    try:
        await session.flush()
    except IntegrityError:
        raise contract.duplicate("/external_reference") from None
    for application, thing in zip(payment.applications, things, strict=True):
        add(thing, -application.amount, payment.created_at)
        record_applied(session, key, thing, application, payment)
    return payment


async def named(
    session: AsyncSession, key: ApiKey, body: PaymentCreate, targets: Sequence[Target], *, lock: bool = False
) -> list[Owing]:
    """Return what is paid, in its order; locked in the order of the ids, so that nobody waits in a circle."""
    found: dict[tuple[str, str], Owing] = {}
    for kind, (table, prefix) in TABLES.items():
        names = [target.name for target in targets if target.kind == kind]
        by_id = [name for name in names if name.startswith(prefix)]
        for column, some in ((table.id, by_id), (table.external_reference, [*{*names} - {*by_id}])):
            if some:
                query = select(table).where(table.tenant_id == key.tenant_id, column.in_(some)).order_by(table.id)
                rows = await session.scalars(query.with_for_update() if lock else query)
                found |= {(kind, getattr(row, column.key)): row for row in rows}
    for place, target in enumerate(targets):
        if (target.kind, target.name) not in found:
            raise contract.not_found(pointer(body, place, target.kind))
    things = [found[target.kind, target.name] for target in targets]
    if len({id(thing) for thing in things}) < len(things):
        raise contract.invalid("/applications", "the same thing is paid twice")
    return things


def pointer(body: PaymentCreate, place: int, member: str) -> str:
    return f"/applications/{place}/{member}" if body.applications else f"/{member}"


async def refuse_duplicate(session: AsyncSession, key: ApiKey, body: PaymentCreate) -> None:
    if body.external_reference is None:
        return
    same = select(Payment.id).where(
        Payment.tenant_id == key.tenant_id, Payment.external_reference == body.external_reference,
        Payment.channel.is_(None) if body.channel is None else Payment.channel == body.channel,
    )  # fmt: skip
    if payment_id := await session.scalar(same):
        problem = contract.duplicate("/external_reference")
        problem.further["payment_id"] = payment_id
        raise problem


def payable(thing: Owing) -> Payable:
    if isinstance(thing, Bill):
        room = MAX_BILL - thing.amount_paid
        voided = thing.status == "voided"
        return Payable(thing.payment_rules, voided, thing.currency, thing.amount_remaining, True, room)
    balance = thing.balance or 0
    tracked, room = thing.balance is not None, MAX_BALANCE + balance
    return Payable(thing.payment_rules, False, thing.currency, max(0, balance), tracked, room)


def explained_all(body: PaymentCreate, targets: Sequence[Target], things: Sequence[Owing]) -> list[Explained]:
    pairs = zip(targets, things, strict=True)
    return [explain(payable(thing), target.amount, body.currency) for target, thing in pairs]


def summary(explained: Sequence[Explained]) -> tuple[list[str], dict[str, Any]]:
    """Return all the rules that refuse, and what would pass where the first refuses."""
    refused = [each for each in explained if each.rules]
    rules = list(dict.fromkeys(rule for each in refused for rule in each.rules))
    return rules, (refused or explained)[0].members


def shown_each(
    targets: Sequence[Target], things: Sequence[Owing], explained: Sequence[Explained]
) -> list[dict[str, Any]]:
    return [
        {f"{target.kind}_id": thing.id, "amount": target.amount, "allowed": not each.rules, "rules": each.rules,
         **each.members}
        for target, thing, each in zip(targets, things, explained, strict=True)
    ]  # fmt: skip


def refuse(body: PaymentCreate, targets: Sequence[Target], things: Sequence[Owing]) -> None:
    """Raise the refusal of a payment that the rules forbid."""
    explained = explained_all(body, targets, things)
    rules, members = summary(explained)
    if not rules:
        return
    if len(targets) > 1:
        members["applications"] = shown_each(targets, things, explained)
    errors = [
        {"pointer": "/currency" if rule == "currency" else pointer(body, place, "amount"), "detail": rule}
        for place, each in enumerate(explained) for rule in each.rules
    ]  # fmt: skip
    detail = f"The payment rules forbid it: {', '.join(rules)}"
    raise Problem(422, "payment_refused", detail, errors, rule=rules[0], rules=rules, **members)


def new_payment(key: ApiKey, body: PaymentCreate, targets: Sequence[Target], things: Sequence[Owing]) -> Payment:
    now, payment_id = datetime.now(UTC), contract.new_id("pay_")
    applications = [
        Application(tenant_id=key.tenant_id, id=contract.new_id("ob_"), payment_id=payment_id, position=place,
                    amount=target.amount, taken_back=0, **{f"{target.kind}_id": thing.id})
        for place, (target, thing) in enumerate(zip(targets, things, strict=True))
    ]  # fmt: skip
    given = body.model_dump(include={"external_reference", "channel", "method", "provider_reference"})
    return Payment(
        **given, tenant_id=key.tenant_id, id=payment_id, status="succeeded", amount=body.amount,
        currency=body.currency, amount_refunded=0, amount_reversed=0, attributes=body.metadata or {}, version=1,
        paid_at=body.paid_at or now, created_at=now, updated_at=now, applications=applications,
    )  # fmt: skip


def add(thing: Owing, amount: int, now: datetime) -> None:
    """Raise what is owed, or lower it where the amount is negative."""
    if isinstance(thing, Bill):
        thing.amount_paid -= amount
        thing.status = "unpaid" if thing.amount_remaining else "paid"
    elif thing.balance is not None:
        thing.balance += amount
    thing.version += 1
    thing.updated_at = now
