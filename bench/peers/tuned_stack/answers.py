"""What every route needs: the key of a request, its body, and the answers that are kept for `Idempotency-Key`."""

import hashlib
import re
import time
from datetime import UTC, datetime
from typing import TypeVar

import asyncpg
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError

from bench.peers import contract
from bench.peers.tuned_stack import database

Body = TypeVar("Body", bound=BaseModel)

KEY_LIVES = 1.0  # seconds: a revocation is in force within one
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,255}")

FIND_KEY = "SELECT id, tenant_id, type, expires_at, revoked_at FROM api_key WHERE hash = $1"
FIND_ANSWER = "SELECT fingerprint, status, location, etag, body FROM answer WHERE tenant_id = $1 AND key = $2"
KEEP_ANSWER = """
    INSERT INTO answer (tenant_id, key, fingerprint, status, etag, body, recorded_at)
    VALUES ($1, $2, $3, $4, $5, $6, now())
"""

keys: dict[str, tuple[float, asyncpg.Record]] = {}


async def secret_key(request: Request) -> asyncpg.Record:
    """Return the key of a request from the cache, or look it up when that is older than a second."""
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith("Bearer "):
        raise contract.unauthorized()
    fresh_until, key = keys.get(authorization, (0.0, None))
    if fresh_until < time.monotonic():
        key = await database.pool.fetchrow(FIND_KEY, hashlib.sha256(authorization[7:].encode()).digest())
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


async def kept_answer(key: asyncpg.Record, name: str | None, fingerprint: bytes) -> Response | None:
    kept = await database.pool.fetchrow(FIND_ANSWER, key["tenant_id"], name) if name else None
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
            await database.pool.execute(KEEP_ANSWER, key["tenant_id"], name, fingerprint, status, etag, body)
        except asyncpg.UniqueViolationError:
            return await kept_answer(key, name, fingerprint) or contract.answer(status, body, None, etag)
    return contract.answer(status, body, None, etag)
