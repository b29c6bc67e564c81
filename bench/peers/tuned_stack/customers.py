"""The routes of customers."""

# ruff: noqa: S101  (it reads as people write such services)

from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from fastapi import Query, Request
from fastapi.responses import Response

from bench.peers import contract
from bench.peers.bodies import DEFAULT_RULES, CustomerCreate, CustomerUpdate
from bench.peers.contract import Problem
from bench.peers.tuned_stack import database
from bench.peers.tuned_stack.answers import checked, finish, idempotency_key, kept_answer, secret_key
from bench.peers.tuned_stack.application import app
from bench.peers.tuned_stack.lists import listed
from bench.peers.tuned_stack.statements import (
    ALL,
    BY_ID,
    BY_REFERENCE,
    CREATE,
    MEMBERS,
    UPDATE_BY_ID,
    UPDATE_BY_REFERENCE,
)

PATH = "/billing/customers"


def shown(row: asyncpg.Record) -> dict[str, Any]:
    """Return the members of a customer that are set."""
    members = {name: row[name] for name in MEMBERS if row[name] is not None}
    members["payment_rules"] = msgspec.Raw(row["payment_rules"].encode())
    if row["metadata"] != "{}":
        members["metadata"] = msgspec.Raw(row["metadata"].encode())
    return members


@app.post(PATH)
async def create(request: Request) -> Response:
    key, name = await secret_key(request), idempotency_key(request)
    body = await checked(request, CustomerCreate)
    fingerprint, customer_id = contract.fingerprint(request, body), contract.new_id("bcus_")
    rules = body.payment_rules or DEFAULT_RULES
    members = {"id": customer_id, "external_reference": body.external_reference, **body.model_dump(exclude_none=True)}
    members["payment_rules"] = rules.model_dump()
    if not body.metadata:
        members.pop("metadata", None)
    text = msgspec.json.encode(members).decode()
    try:
        created = await database.pool.fetchval(
            CREATE, key["tenant_id"], customer_id, body.external_reference, body.name, body.email, body.phone,
            body.currency, body.balance, rules.model_dump_json(), msgspec.json.encode(body.metadata or {}).decode(),
            name, fingerprint, contract.new_id("tra_"), key["id"], contract.new_id("evt_"), text,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:  # the same Idempotency-Key at the same moment
        created = None
    if created:
        return contract.answer(201, text, f"{PATH}/{customer_id}", contract.etag(1))
    if kept := await kept_answer(key, name, fingerprint):
        return kept
    problem = contract.duplicate("/external_reference")
    return await finish(key, name, fingerprint, 409, problem.body(request))


async def find(key: asyncpg.Record, name: str) -> asyncpg.Record | None:
    return await database.pool.fetchrow(BY_ID if name.startswith("bcus_") else BY_REFERENCE, key["tenant_id"], name)


@app.get(f"{PATH}/{{name}}")
async def retrieve(request: Request) -> Response:
    key = await secret_key(request)
    row = await find(key, request.path_params["name"])
    if row is None:
        raise contract.not_found()
    headers = {"ETag": contract.etag(row["version"]), "Last-Modified": contract.last_modified(row["updated_at"])}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(shown(row)), headers=headers, media_type="application/json")


@app.patch(f"{PATH}/{{name}}")
async def update(request: Request) -> Response:
    key, name, path = await secret_key(request), idempotency_key(request), request.path_params["name"]
    body = await checked(request, CustomerUpdate)
    fingerprint = contract.fingerprint(request, body)
    if_match = request.headers.get("if-match")
    version = int(if_match.strip('"')) if if_match and if_match.strip('"').isdecimal() else None
    try:
        updated = await database.pool.fetchrow(
            UPDATE_BY_ID if path.startswith("bcus_") else UPDATE_BY_REFERENCE, key["tenant_id"], path, body.name,
            body.email, body.phone, body.currency, body.balance,
            body.payment_rules.model_dump_json() if body.payment_rules else None,
            msgspec.json.encode(body.metadata or {}).decode(), name, fingerprint, version, body.id,
            body.external_reference, contract.new_id("tra_"), key["id"], contract.new_id("evt_"),
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        updated = None
    if updated:
        return contract.answer(200, updated["body"], None, contract.etag(updated["version"]))
    if kept := await kept_answer(key, name, fingerprint):
        return kept
    return await unchanged(request, key, name, path, fingerprint, body, if_match)


async def unchanged(
    request: Request, key: asyncpg.Record, name: str | None, path: str, fingerprint: bytes, body: CustomerUpdate,
    if_match: str | None,
) -> Response:  # fmt: skip
    """Say why an update found nothing to do."""
    row = await find(key, path)
    try:
        refuse(row, body, if_match)
    except Problem as problem:
        if problem.status == 400:
            raise
        return await finish(key, name, fingerprint, problem.status, problem.body(request))
    assert row is not None
    text, etag = msgspec.json.encode(shown(row)).decode(), contract.etag(row["version"])
    return await finish(key, name, fingerprint, 200, text, etag)


def refuse(row: asyncpg.Record | None, body: CustomerUpdate, if_match: str | None) -> None:
    """Raise what forbids an update, if anything does."""
    if row is None:
        raise contract.not_found()
    if if_match and if_match != contract.etag(row["version"]):
        raise contract.stale()
    for member in ("id", "external_reference"):
        if getattr(body, member) not in (None, row[member]):
            raise contract.invalid(f"/{member}", "never changes")
    if body.balance is not None and not (body.currency or row["currency"]):
        raise contract.invalid("/balance", "needs a currency")
    if row["balance"] is not None and body.currency not in (None, row["currency"]):
        raise contract.conflict("/currency", "Money already uses the currency")
    if len({**msgspec.json.decode(row["metadata"]), **(body.metadata or {})}) > 20:
        raise contract.invalid("/metadata", "holds more than 20 keys")


@app.get(PATH)
async def page(
    request: Request, limit: int = Query(20, ge=1, le=100), cursor: str | None = None,
    created_after: datetime | None = None, created_before: datetime | None = None,
) -> Response:  # fmt: skip
    key, given = await secret_key(request), request.query_params
    tests = {
        "external_reference =": given.get("external_reference"), "email =": given.get("email"),
        "phone =": given.get("phone"), "currency =": given.get("currency"), "created_at >": created_after,
        "created_at <": created_before,
    }  # fmt: skip
    return await listed(request, key, ALL, tests, shown, limit, cursor)
