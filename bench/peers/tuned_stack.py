"""The tuned stack: FastAPI over asyncpg by hand: a pool, a cache of keys, SQL that does each write in one statement.

Handlers take the request and give a finished response, so FastAPI's own costs are routing and little else.
"""

# ruff: noqa: ARG001, PLW0603, S101, S608  (it reads as people write such services)

import hashlib
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError

from bench.peers import contract
from bench.peers.contract import CustomerCreate, CustomerUpdate, Problem

Body = TypeVar("Body", bound=BaseModel)

KEY_LIVES = 1.0  # seconds: a revocation is in force within one
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,255}")
MEMBERS = ("id", "external_reference", "name", "email", "phone", "currency", "balance")
COLUMNS = f"{', '.join(MEMBERS)}, payment_rules, metadata, version, updated_at"

FIND_KEY = "SELECT id, tenant_id, type, expires_at, revoked_at FROM api_key WHERE hash = $1"
BY_ID = f"SELECT {COLUMNS} FROM customer WHERE tenant_id = $1 AND id = $2"
BY_REFERENCE = f"SELECT {COLUMNS} FROM customer WHERE tenant_id = $1 AND external_reference = $2"
FIND_ANSWER = "SELECT fingerprint, status, location, etag, body FROM answer WHERE tenant_id = $1 AND key = $2"
KEEP_ANSWER = """
    INSERT INTO answer (tenant_id, key, fingerprint, status, etag, body, recorded_at)
    VALUES ($1, $2, $3, $4, $5, $6, now())
"""

CREATE = """
    WITH created AS (
        INSERT INTO customer (tenant_id, id, external_reference, name, email, phone, currency, balance, payment_rules,
                              metadata, version, created_at, updated_at)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, now(), now()
         WHERE NOT EXISTS (SELECT FROM answer WHERE tenant_id = $1 AND key = $11)
            ON CONFLICT (tenant_id, external_reference) DO NOTHING
        RETURNING id
    ), opened AS (
        INSERT INTO transfer (tenant_id, customer_id, id, amount, currency, total_after, debit, credit, cause, key_id,
                              recorded_at)
        SELECT $1, $2, $13, $8, $7, $8, 'receivable', 'opening', 'opening', $14, now()
          FROM created WHERE $8 IS NOT NULL
    ), told AS (
        INSERT INTO event (tenant_id, id, customer_id, type, body, recorded_at)
        SELECT $1, $15, $2, 'customer.created', $16, now() FROM created
    ), kept AS (
        INSERT INTO answer (tenant_id, key, fingerprint, status, location, etag, body, recorded_at)
        SELECT $1, $11, $12, 201, '/billing/customers/' || $2, '"1"', $16, now() FROM created WHERE $11 IS NOT NULL
    )
    SELECT id FROM created
"""

# Where any condition fails no row comes back, and the handler looks for the reason.
UPDATE = """
    WITH given (name, email, phone, currency, balance, payment_rules, metadata) AS (
        SELECT $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::jsonb, $9::jsonb
    ), updated AS (
        UPDATE customer
           SET name = coalesce(given.name, customer.name),
               email = coalesce(given.email, customer.email),
               phone = coalesce(given.phone, customer.phone),
               currency = coalesce(given.currency, customer.currency),
               balance = coalesce(given.balance, customer.balance),
               payment_rules = coalesce(given.payment_rules, customer.payment_rules),
               metadata = customer.metadata || given.metadata,
               version = version + 1,
               updated_at = clock_timestamp()
          FROM given
         WHERE tenant_id = $1 AND {column} = $2
           AND NOT EXISTS (SELECT FROM answer WHERE tenant_id = $1 AND key = $10)
           AND ($12::bigint IS NULL OR version = $12)
           AND coalesce($13, id) = id AND coalesce($14, external_reference) = external_reference
           AND (given.balance IS NULL OR coalesce(given.currency, customer.currency) IS NOT NULL)
           AND (customer.balance IS NULL OR coalesce(given.currency, customer.currency) = customer.currency)
           AND (SELECT count(*) FROM jsonb_object_keys(customer.metadata || given.metadata)) <= 20
           AND (coalesce(given.name, customer.name), coalesce(given.email, customer.email),
                coalesce(given.phone, customer.phone), coalesce(given.currency, customer.currency),
                coalesce(given.balance, customer.balance), coalesce(given.payment_rules, customer.payment_rules),
                customer.metadata || given.metadata)
               IS DISTINCT FROM
               (customer.name, customer.email, customer.phone, customer.currency, customer.balance,
                customer.payment_rules, customer.metadata)
        RETURNING old.balance AS before, new.*
    ), shown AS (
        SELECT *, json_strip_nulls(json_build_object(
                      'id', id, 'external_reference', external_reference, 'name', name, 'email', email, 'phone', phone,
                      'currency', currency, 'balance', balance, 'payment_rules', payment_rules,
                      'metadata', nullif(metadata, '{{}}')))::text AS body
          FROM updated
    ), moved AS (
        INSERT INTO transfer (tenant_id, customer_id, id, amount, currency, total_after, debit, credit, cause, key_id,
                              recorded_at)
        SELECT $1, id, $15, balance - coalesce(before, 0), currency, balance, 'receivable', cause, cause, $16,
               updated_at
          FROM shown, LATERAL (SELECT CASE WHEN before IS NULL THEN 'opening' ELSE 'balance_set' END AS cause) AS why
         WHERE balance IS DISTINCT FROM before
    ), told AS (
        INSERT INTO event (tenant_id, id, customer_id, type, body, recorded_at)
        SELECT $1, $17, id, 'customer.updated', body, updated_at FROM shown
    ), kept AS (
        INSERT INTO answer (tenant_id, key, fingerprint, status, etag, body, recorded_at)
        SELECT $1, $10, $11, 200, '"' || version || '"', body, updated_at FROM shown WHERE $10 IS NOT NULL
    )
    SELECT version, body FROM shown
"""
UPDATE_BY_ID = UPDATE.format(column="id")
UPDATE_BY_REFERENCE = UPDATE.format(column="external_reference")

PAGE = f"""
    SELECT {COLUMNS} FROM customer
     WHERE tenant_id = $1 {{conditions}}
     ORDER BY id {{order}} LIMIT {{limit}}
"""

pool: asyncpg.Pool
keys: dict[str, tuple[float, asyncpg.Record]] = {}


async def keep_state(connection: asyncpg.Connection) -> None:
    """Skip the pool's reset query: no statement here leaves anything behind."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    global pool
    pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], reset=keep_state)  # of 10: more make updates slower
    async with pool:
        yield


app = FastAPI(lifespan=lifespan, max_body_size=2**20)
contract.dress(app)


async def secret_key(request: Request) -> asyncpg.Record:
    """Return the key of a request from the cache, or look it up when that is older than a second."""
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith("Bearer "):
        raise contract.unauthorized()
    fresh_until, key = keys.get(authorization, (0.0, None))
    if fresh_until < time.monotonic():
        key = await pool.fetchrow(FIND_KEY, hashlib.sha256(authorization[7:].encode()).digest())
        if key is None:
            raise contract.invalid_key()
        keys[authorization] = time.monotonic() + KEY_LIVES, key
    if key["type"] != "secret" or key["revoked_at"] or (key["expires_at"] and key["expires_at"] <= datetime.now(UTC)):
        raise contract.forbidden()
    return key


def idempotency_key(request: Request) -> str | None:
    name = request.headers.get("idempotency-key")
    if name is not None and not TOKEN.fullmatch(name):
        raise contract.invalid("header: Idempotency-Key", "1 to 255 characters of A-Z, a-z, 0-9, _ and -")
    return name


async def checked(request: Request, model: type[Body]) -> Body:
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as failure:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in failure.errors()]
        raise RequestValidationError(faults) from None


def shown(row: asyncpg.Record) -> dict[str, Any]:
    """Return the members of a customer that are set."""
    members = {name: row[name] for name in MEMBERS if row[name] is not None}
    members["payment_rules"] = msgspec.Raw(row["payment_rules"].encode())
    if row["metadata"] != "{}":
        members["metadata"] = msgspec.Raw(row["metadata"].encode())
    return members


async def kept_answer(key: asyncpg.Record, name: str | None, fingerprint: bytes) -> Response | None:
    kept = await pool.fetchrow(FIND_ANSWER, key["tenant_id"], name) if name else None
    if kept is None:
        return None
    if kept["fingerprint"] != fingerprint:
        raise contract.reused()
    return contract.answer(kept["status"], kept["body"], kept["location"], kept["etag"], replayed=True)


async def finish(
    key: asyncpg.Record, name: str | None, fingerprint: bytes, status: int, body: str, etag: str | None = None
) -> Response:
    """Keep an answer that changed nothing, and give it; or give the one that somebody else kept first."""
    if name:
        try:
            await pool.execute(KEEP_ANSWER, key["tenant_id"], name, fingerprint, status, etag, body)
        except asyncpg.UniqueViolationError:
            return await kept_answer(key, name, fingerprint) or contract.answer(status, body, None, etag)
    return contract.answer(status, body, None, etag)


@app.post("/billing/customers")
async def create(request: Request) -> Response:
    key, name = await secret_key(request), idempotency_key(request)
    body = await checked(request, CustomerCreate)
    fingerprint, customer_id = contract.fingerprint(request, body), contract.new_id("bcus_")
    rules = body.payment_rules or contract.DEFAULT_RULES
    members = {"id": customer_id, "external_reference": body.external_reference, **body.model_dump(exclude_none=True)}
    members["payment_rules"] = rules.model_dump()
    if not body.metadata:
        members.pop("metadata", None)
    text = msgspec.json.encode(members).decode()
    try:
        created = await pool.fetchval(
            CREATE, key["tenant_id"], customer_id, body.external_reference, body.name, body.email, body.phone,
            body.currency, body.balance, rules.model_dump_json(), msgspec.json.encode(body.metadata or {}).decode(),
            name, fingerprint, contract.new_id("tra_"), key["id"], contract.new_id("evt_"), text,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:  # the same Idempotency-Key at the same moment
        created = None
    if created:
        return contract.answer(201, text, f"/billing/customers/{customer_id}", contract.etag(1))
    if kept := await kept_answer(key, name, fingerprint):
        return kept
    problem = contract.conflict("/external_reference", "There is a customer with this reference")
    return await finish(key, name, fingerprint, 409, problem.body(request))


async def find(key: asyncpg.Record, name: str) -> asyncpg.Record | None:
    return await pool.fetchrow(BY_ID if name.startswith("bcus_") else BY_REFERENCE, key["tenant_id"], name)


@app.get("/billing/customers/{name}")
async def retrieve(request: Request) -> Response:
    key = await secret_key(request)
    row = await find(key, request.path_params["name"])
    if row is None:
        raise contract.not_found()
    headers = {"ETag": contract.etag(row["version"]), "Last-Modified": contract.last_modified(row["updated_at"])}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(shown(row)), headers=headers, media_type="application/json")


@app.patch("/billing/customers/{name}")
async def update(request: Request) -> Response:
    key, name, path = await secret_key(request), idempotency_key(request), request.path_params["name"]
    body = await checked(request, CustomerUpdate)
    fingerprint = contract.fingerprint(request, body)
    if_match = request.headers.get("if-match")
    version = int(if_match.strip('"')) if if_match and if_match.strip('"').isdecimal() else None
    try:
        updated = await pool.fetchrow(
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


@app.get("/billing/customers")
async def page(
    request: Request, limit: int = Query(20, ge=1, le=100), cursor: str | None = None,
    created_after: datetime | None = None, created_before: datetime | None = None,
) -> Response:  # fmt: skip
    key, given = await secret_key(request), request.query_params
    tags = {name[9:-1]: value for name, value in given.items() if name.startswith("metadata[")}
    tests = {
        "external_reference =": given.get("external_reference"), "email =": given.get("email"),
        "phone =": given.get("phone"), "currency =": given.get("currency"), "created_at >": created_after,
        "created_at <": created_before, "metadata @>": msgspec.json.encode(tags).decode() if tags else None,
    }  # fmt: skip
    tests = {test: value for test, value in tests.items() if value is not None}
    filters, words = str(tests), given.get("q")
    direction, last_id = contract.read_cursor(cursor, filters) if cursor else ("<", None)
    if last_id:
        tests[f"id {direction}"] = last_id
    conditions = [f"AND {test} ${number}" for number, test in enumerate(tests, 2)]
    if words:
        conditions.append(f"AND words @@ plainto_tsquery('simple', ${len(tests) + 2})")
    query = PAGE.format(conditions=" ".join(conditions), order="DESC" if direction == "<" else "ASC", limit=limit + 1)
    rows = await pool.fetch(query, key["tenant_id"], *tests.values(), *([words] if words else []))
    more, rows = len(rows) > limit, rows[:limit]
    if direction == ">":
        rows.reverse()
    response = Response(msgspec.json.encode({"data": [shown(row) for row in rows]}), media_type="application/json")
    if rows and (more or direction == ">"):
        response.headers["Next-Cursor"] = contract.sign_cursor("<", rows[-1]["id"], filters)
    if rows and (cursor if direction == "<" else more):
        response.headers["Prev-Cursor"] = contract.sign_cursor(">", rows[0]["id"], filters)
    return response
