"""The route of refunds that is measured."""

from datetime import UTC, datetime

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bench.peers import contract
from bench.peers.bodies import RefundCreate
from bench.peers.contract import Problem
from bench.peers.usual_stack.answers import Db, Key, RequiredKey, finish, kept_answer
from bench.peers.usual_stack.application import app
from bench.peers.usual_stack.journal import record_refunded
from bench.peers.usual_stack.payments import PATH, TABLES, Owing, add
from bench.peers.usual_stack.shown import ApplicationOut, RefundOut
from bench.peers.usual_stack.tables import ApiKey, Application, Payment, Refund


@app.post(f"{PATH}/{{name}}/refunds", status_code=201)
async def create(
    name: str, request: Request, session: Db, key: Key, idempotency_key: RequiredKey, body: RefundCreate | None = None
) -> Response:
    body = body or RefundCreate()
    fingerprint = contract.fingerprint(request, body)
    if kept := await kept_answer(session, key, idempotency_key, fingerprint):
        return kept
    try:
        refund, text = await give_back(session, key, name, body)
    except Problem as problem:
        await session.rollback()
        await session.refresh(key)
        return await finish(session, key, idempotency_key, fingerprint, problem.status, problem.body(request))
    location = f"{PATH}/{refund.payment_id}/refunds/{refund.id}"
    return await finish(session, key, idempotency_key, fingerprint, 201, text, location, contract.etag(1))


async def give_back(session: AsyncSession, key: ApiKey, name: str, body: RefundCreate) -> tuple[Refund, str]:
    """Take a payment back, or a part of it, or raise what forbids it; return the refund and the body that shows it."""
    payment = await locked(session, key, name)
    shares = shares_of(payment, body)
    refund = new_refund(payment, body, sum(amount for _, amount in shares))
    session.add(refund)
    try:
        await session.flush()
    except IntegrityError:
        raise contract.duplicate("/external_reference") from None
    take(payment, refund)
    things = await obligations(session, key, [application for application, _ in shares])
    for application, amount in shares:
        thing = things[target_of(application)]
        application.taken_back += amount
        add(thing, amount, refund.created_at)
        record_refunded(session, key, thing, application, amount, payment, refund)
    shown = [ApplicationOut.of(application, amount) for application, amount in shares]
    return refund, RefundOut.of(refund, shown).json_text()


async def locked(session: AsyncSession, key: ApiKey, name: str) -> Payment:
    column = Payment.id if name.startswith("pay_") else Payment.external_reference
    found = select(Payment).where(Payment.tenant_id == key.tenant_id, column == name)
    payment = await session.scalar(found.order_by(Payment.id.desc()).limit(1).with_for_update())
    if payment is None:
        raise contract.no_payment()
    return payment


def shares_of(payment: Payment, body: RefundCreate) -> list[tuple[Application, int]]:
    """Return what is taken back of which application: as asked for, or the newest first."""
    if payment.held == 0:
        raise contract.conflict("", "The payment holds nothing any more")
    if body.applications:
        return [share_of(payment, place, given.id, given.amount) for place, given in enumerate(body.applications)]
    left = payment.held if body.amount is None else body.amount
    if left > payment.held:
        raise contract.conflict("/amount", f"The payment holds {payment.held}")
    shares = []
    for application in reversed(payment.applications):
        if amount := min(left, application.held):
            shares.append((application, amount))
            left -= amount
    return shares


def share_of(payment: Payment, place: int, application_id: str, amount: int) -> tuple[Application, int]:
    application = next((each for each in payment.applications if each.id == application_id), None)
    if application is None:
        raise contract.not_found(f"/applications/{place}/id")
    if amount > application.held:
        raise contract.conflict(f"/applications/{place}/amount", f"The application holds {application.held}")
    return application, amount


def new_refund(payment: Payment, body: RefundCreate, amount: int) -> Refund:
    return Refund(
        tenant_id=payment.tenant_id, id=contract.new_id("ref_"), payment_id=payment.id, amount=amount,
        external_reference=body.external_reference, currency=payment.currency, reason=body.reason,
        attributes=body.metadata or {}, created_at=datetime.now(UTC),
    )  # fmt: skip


def take(payment: Payment, refund: Refund) -> None:
    payment.amount_refunded += refund.amount
    payment.status = "partially_refunded" if payment.held else "refunded"
    payment.version += 1
    payment.updated_at = refund.created_at


async def obligations(
    session: AsyncSession, key: ApiKey, applications: list[Application]
) -> dict[tuple[str, str], Owing]:
    """Return what applications were made to, locked in the order of the ids."""
    found: dict[tuple[str, str], Owing] = {}
    for kind, (table, _) in TABLES.items():
        ids = [name for of, name in map(target_of, applications) if of == kind]
        if ids:
            query = select(table).where(table.tenant_id == key.tenant_id, table.id.in_(ids))
            rows = await session.scalars(query.order_by(table.id).with_for_update())
            found |= {(kind, row.id): row for row in rows}
    return found


def target_of(application: Application) -> tuple[str, str]:
    """Return the kind and the id of what an application was made to."""
    return next((kind, name) for kind in TABLES if (name := getattr(application, f"{kind}_id")))
