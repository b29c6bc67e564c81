"""The route of payments: of one customer's balance, one account's or one bill, by the function `pay`."""

# ruff: noqa: FBT003, S101, S608  (it reads as people write such services)

import asyncpg
import msgspec
from fastapi import Request
from fastapi.responses import Response

from bench.peers import contract
from bench.peers.bodies import PaymentCreate, Target
from bench.peers.contract import Problem
from bench.peers.rules import MAX_BALANCE, MAX_BILL, Payable, explain
from bench.peers.tuned_stack import database
from bench.peers.tuned_stack.answers import checked, finish, idempotency_key, kept_answer, secret_key
from bench.peers.tuned_stack.application import app

PATH = "/billing/payments"
PREFIXES = {"customer": "bcus_", "account": "bacc_", "bill": "bill_"}
PAY = "SELECT * FROM pay($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
ID_OF = {kind: f"SELECT id FROM {kind} WHERE tenant_id = $1 AND external_reference = $2" for kind in PREFIXES}
ROW_OF = {kind: f"SELECT * FROM {kind} WHERE tenant_id = $1 AND id = $2" for kind in PREFIXES}


@app.post(PATH)
async def create(request: Request) -> Response:
    key, name = await secret_key(request), idempotency_key(request)
    if name is None:
        raise contract.invalid("header: Idempotency-Key", "is required where money moves")
    body = await checked(request, PaymentCreate)
    target, fingerprint = body.target(), contract.fingerprint(request, body)
    assert target is not None, "not measured"
    target_id = await id_of(key, target)
    try:
        done = await database.pool.fetchrow(
            PAY, key["tenant_id"], key["id"], name, fingerprint, target.kind, target_id, body.amount, body.currency,
            body.external_reference, body.channel, body.method, body.provider_reference,
            msgspec.json.encode(body.metadata or {}).decode(), body.paid_at,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:  # the same Idempotency-Key, or reference, at the same moment
        if kept := await kept_answer(key, name, fingerprint):
            return kept
        problem = contract.duplicate("/external_reference")
        return await finish(key, name, fingerprint, problem.status, problem.body(request))
    if done["replayed"] and done["fingerprint"] != fingerprint:
        raise contract.reused()
    if done["replayed"] or done["status"] == 201:
        return contract.answer(done["status"], done["body"], done["location"], done["etag"], done["replayed"])
    problem = await refusal(key, body, target, target_id, done)
    return await finish(key, name, fingerprint, problem.status, problem.body(request))


async def id_of(key: asyncpg.Record, target: Target) -> str | None:
    if target.name.startswith(PREFIXES[target.kind]):
        return target.name
    return await database.pool.fetchval(ID_OF[target.kind], key["tenant_id"], target.name)


async def refusal(
    key: asyncpg.Record, body: PaymentCreate, target: Target, target_id: str | None, done: asyncpg.Record
) -> Problem:
    """Say why the function refused."""
    if done["status"] == 404:
        return contract.not_found(f"/{target.kind}")
    if done["status"] == 409:
        problem = contract.duplicate("/external_reference")
        problem.further["payment_id"] = done["body"]
        return problem
    row = await database.pool.fetchrow(ROW_OF[target.kind], key["tenant_id"], target_id)
    explained = explain(payable(target.kind, row), body.amount, body.currency)
    rules = explained.rules or [done["body"]]
    errors = [{"pointer": "/currency" if rule == "currency" else "/amount", "detail": rule} for rule in rules]
    detail = f"The payment rules forbid it: {', '.join(rules)}"
    return Problem(422, "payment_refused", detail, errors, rule=rules[0], rules=rules, **explained.members)


def payable(kind: str, row: asyncpg.Record) -> Payable:
    rules = msgspec.json.decode(row["payment_rules"])
    if kind == "bill":
        left = max(0, row["amount_due"] - row["amount_paid"])
        return Payable(rules, row["status"] == "voided", row["currency"], left, True, MAX_BILL - row["amount_paid"])
    balance = row["balance"] or 0
    tracked, room = row["balance"] is not None, MAX_BALANCE + balance
    return Payable(rules, False, row["currency"], max(0, balance), tracked, room)
