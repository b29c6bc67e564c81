"""The routes of bills: those that are measured."""

# ruff: noqa: S101  (it reads as people write such services)

from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import msgspec
from fastapi import Query, Request
from fastapi.responses import Response

from bench.peers import contract
from bench.peers.bodies import DEFAULT_RULES, AccountCreate, BillCreate, CustomerCreate
from bench.peers.tuned_stack import database
from bench.peers.tuned_stack.answers import checked, finish, idempotency_key, kept_answer, secret_key
from bench.peers.tuned_stack.application import app
from bench.peers.tuned_stack.bill_statements import (
    ACCOUNT_EXISTS,
    ALL,
    BY_ID,
    BY_REFERENCE,
    COMPOSE,
    CUSTOMER_EXISTS,
    MEMBERS,
    RAISE_ON,
)
from bench.peers.tuned_stack.lists import listed

PATH = "/billing/bills"
PREFIXES = {"account": "bacc_", "customer": "bcus_"}
DUPLICATES = {
    "customer_tenant_id_external_reference_key": "/account/customer/external_reference",
    "account_tenant_id_external_reference_key": "/account/external_reference",
    "bill_tenant_id_external_reference_key": "/external_reference",
}


def shown(row: asyncpg.Record) -> dict[str, Any]:
    """Return the members of a bill that are set."""
    members = {name: row[name] for name in MEMBERS if row[name] is not None}
    members["amount_remaining"] = max(0, row["amount_due"] - row["amount_paid"])
    members["payment_rules"] = msgspec.Raw(row["payment_rules"].encode())
    if row["metadata"] != "{}":
        members["metadata"] = msgspec.Raw(row["metadata"].encode())
    return members


def terms(body: BillCreate) -> dict[str, Any]:
    """Return the members of a new bill beside those that name it."""
    members: dict[str, Any] = {
        "status": "unpaid", "currency": body.currency, "amount_due": body.amount_due, "amount_paid": 0,
        "amount_remaining": body.amount_due, "bill_date": body.bill_date or datetime.now(UTC).date(),
        "due_date": body.due_date, "payment_rules": body.rules().model_dump(), "metadata": body.metadata,
    }  # fmt: skip
    return {name: value for name, value in members.items() if value is not None and value != {}}


def encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()


def row_of(body: BillCreate, given: dict[str, Any]) -> tuple[Any, ...]:
    """Return the values of a bill's row, from its currency on."""
    rules, metadata = encoded(given["payment_rules"]), encoded(body.metadata or {})
    return body.currency, body.amount_due, given["bill_date"], body.due_date, rules, metadata


@app.post(PATH)
async def create(request: Request) -> Response:
    key, name = await secret_key(request), idempotency_key(request)
    body = await checked(request, BillCreate)
    fingerprint = contract.fingerprint(request, body)
    if isinstance(body.account, AccountCreate):
        return await compose(request, key, name, fingerprint, body)
    member = "account" if body.account else "customer"
    return await raise_on(request, key, name, fingerprint, body, member)


async def raise_on(
    request: Request, key: asyncpg.Record, name: str | None, fingerprint: bytes, body: BillCreate, member: str
) -> Response:
    """Raise a bill on the account or the customer that a member names."""
    owner, bill_id, given = getattr(body, member), contract.new_id("bill_"), terms(body)
    assert isinstance(owner, str), "not measured"
    statement = RAISE_ON[member, owner.startswith(PREFIXES[member])]
    try:
        text = await database.pool.fetchval(
            statement, key["tenant_id"], owner, bill_id, body.external_reference, *row_of(body, given), name,
            f",{encoded(given)[1:]}", contract.new_id("tra_"), key["id"], contract.new_id("evt_"), fingerprint,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:  # the same Idempotency-Key at the same moment
        text = None
    if text:
        return contract.answer(201, text, f"{PATH}/{bill_id}", contract.etag(1))
    if kept := await kept_answer(key, name, fingerprint):
        return kept
    exists = ACCOUNT_EXISTS if member == "account" else CUSTOMER_EXISTS
    found = await database.pool.fetchval(exists, key["tenant_id"], owner)
    problem = contract.duplicate("/external_reference") if found else contract.not_found(f"/{member}")
    return await finish(key, name, fingerprint, problem.status, problem.body(request))


async def compose(
    request: Request, key: asyncpg.Record, name: str | None, fingerprint: bytes, body: BillCreate
) -> Response:
    """Create a customer, its account and the bill on it, all or nothing."""
    account, bill_id = body.account, contract.new_id("bill_")
    assert isinstance(account, AccountCreate)
    assert isinstance(account.customer, CustomerCreate), "not measured"
    arguments, text = composed(body, account, account.customer, bill_id)
    try:
        made = await database.pool.fetchval(COMPOSE, key["tenant_id"], name, fingerprint, key["id"], *arguments)
    except asyncpg.UniqueViolationError as failure:
        pointer = DUPLICATES.get(failure.constraint_name)
        if pointer and not (name and await kept_answer(key, name, fingerprint)):
            problem = contract.duplicate(pointer)
            return await finish(key, name, fingerprint, 409, problem.body(request))
        made = None
    if made:
        return contract.answer(201, text, f"{PATH}/{bill_id}", contract.etag(1))
    kept = await kept_answer(key, name, fingerprint)
    assert kept is not None
    return kept


def composed(body: BillCreate, account: AccountCreate, customer: CustomerCreate, bill_id: str) -> tuple[list[Any], str]:
    """Return the arguments of COMPOSE from the fifth on, and the bill as it is shown."""
    customer_id, account_id, given = contract.new_id("bcus_"), contract.new_id("bacc_"), terms(body)
    reference = {"external_reference": body.external_reference}
    text = encoded({"id": bill_id, **reference, "customer_id": customer_id, "account_id": account_id, **given})
    bodies = [opened(customer, id=customer_id), opened(account, id=account_id, customer_id=customer_id), text]
    moved = [
        (of, None, contract.new_id("tra_"), thing.balance, thing.currency, "opening")
        for of, thing in ((None, customer), (account_id, account)) if thing.balance is not None
    ]  # fmt: skip
    moved.append((account_id, bill_id, contract.new_id("tra_"), body.amount_due, body.currency, "bill_raised"))
    return [
        customer_id, customer.external_reference, customer.name, customer.email, customer.phone, customer.currency,
        customer.balance, rules_of(customer), encoded(customer.metadata or {}),
        account_id, account.external_reference, account.name, account.currency, account.balance, rules_of(account),
        encoded(account.metadata or {}),
        bill_id, body.external_reference, *row_of(body, given),
        *map(list, zip(*moved, strict=True)),
        [contract.new_id("evt_") for _ in bodies], [customer_id, account_id, bill_id],
        ["customer.created", "account.created", "bill.created"], bodies, text,
    ], text  # fmt: skip


def rules_of(thing: CustomerCreate | AccountCreate) -> str:
    return (thing.payment_rules or DEFAULT_RULES).model_dump_json()


def opened(thing: CustomerCreate | AccountCreate, **ids: str) -> str:
    """Return a new customer or account as it is shown."""
    members = {**ids, **thing.model_dump(exclude_none=True, exclude={"customer"})}
    members["payment_rules"] = (thing.payment_rules or DEFAULT_RULES).model_dump()
    if not thing.metadata:
        members.pop("metadata", None)
    return encoded(members)


@app.get(f"{PATH}/{{name}}")
async def retrieve(request: Request) -> Response:
    key, name = await secret_key(request), request.path_params["name"]
    row = await database.pool.fetchrow(BY_ID, key["tenant_id"], name) if name.startswith("bill_") else None
    row = row or await database.pool.fetchrow(BY_REFERENCE, key["tenant_id"], name)
    if row is None:
        raise contract.not_found()
    headers = {"ETag": contract.etag(row["version"]), "Last-Modified": contract.last_modified(row["updated_at"])}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(shown(row)), headers=headers, media_type="application/json")


@app.get(PATH)
async def page(
    request: Request, limit: int = Query(20, ge=1, le=100), cursor: str | None = None,
    due_before: date | None = None, due_after: date | None = None,
    created_after: datetime | None = None, created_before: datetime | None = None,
) -> Response:  # fmt: skip
    key, given = await secret_key(request), request.query_params
    tests = {
        "external_reference =": given.get("external_reference"), "currency =": given.get("currency"),
        "status =": given.get("status"), "customer_id =": given.get("customer"), "account_id =": given.get("account"),
        "due_date <": due_before, "due_date >": due_after, "created_at >": created_after,
        "created_at <": created_before,
    }  # fmt: skip
    return await listed(request, key, ALL, tests, shown, limit, cursor)
