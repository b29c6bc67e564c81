"""What every route needs: a session, the key of a request, and the answers that are kept for `Idempotency-Key`."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Header
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bench.peers import contract
from bench.peers.bodies import TOKEN
from bench.peers.usual_stack.tables import Answer, ApiKey, Session


async def open_session() -> AsyncIterator[AsyncSession]:
    async with Session() as session:
        yield session


Db = Annotated[AsyncSession, Depends(open_session)]


async def secret_key(session: Db, authorization: Annotated[str | None, Header()] = None) -> ApiKey:
    if not authorization or not authorization.startswith("Bearer "):
        raise contract.unauthorized()
    digest = hashlib.sha256(authorization[7:].encode()).digest()
    key = await session.scalar(select(ApiKey).where(ApiKey.hash == digest))
    if key is None:
        raise contract.invalid_key()
    if key.type != "secret" or key.revoked_at or (key.expires_at and key.expires_at <= datetime.now(UTC)):
        raise contract.forbidden()
    return key


Key = Annotated[ApiKey, Depends(secret_key)]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=255, pattern=TOKEN)]
RequiredKey = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=TOKEN)]
ETagHeader = Annotated[str | None, Header()]


async def kept_answer(session: AsyncSession, key: ApiKey, name: str | None, fingerprint: bytes) -> Response | None:
    kept = await session.get(Answer, (key.tenant_id, name)) if name else None
    if kept is None:
        return None
    if kept.fingerprint != fingerprint:
        raise contract.reused()
    return contract.answer(kept.status, kept.body, kept.location, kept.etag, replayed=True)


async def finish(
    session: AsyncSession, key: ApiKey, name: str | None, fingerprint: bytes, status: int, body: str,
    location: str | None = None, etag: str | None = None,
) -> Response:  # fmt: skip
    """Keep the answer beside what was done, commit both, and give it."""
    if name:
        session.add(Answer(tenant_id=key.tenant_id, key=name, fingerprint=fingerprint, status=status, location=location,
                           etag=etag, body=body, recorded_at=datetime.now(UTC)))  # fmt: skip
    try:
        await session.commit()
    except IntegrityError:  # somebody with the same key was first
        await session.rollback()
        await session.refresh(key)
        kept = await kept_answer(session, key, name, fingerprint)
        if kept is None:
            raise
        return kept
    return contract.answer(status, body, location, etag)
