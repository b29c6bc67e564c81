"""Access: which key a request carries, known without asking the database each time (contract, 1.2).

A worker keeps every key that it has seen while one number in the database stands; a revocation raises it. The worker
hears of that by NOTIFY, and reads the number several times a second in case it did not hear. One that has not read it
for too long trusts nothing that it keeps.
"""

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime

import asyncpg

from owed.api.problems import refusal
from owed.core.outcomes import Code
from owed.database.pool import Connection, Pool, connect
from owed.engine.store import Conflict, Unavailable
from owed.model.access import ApiKey
from owed.store.failures import LOST, translated
from owed.store.keys import find_keys, read_revision, touch_keys

logger = logging.getLogger("owed.access")

READ_EVERY = 0.25
"""Seconds between two readings of the number."""

TRUSTED_FOR = 0.75
"""Seconds that a reading is good for; with the time of a reading it keeps a revocation within its second."""

ASK_FOR = 2.0
"""Seconds that a request may wait to hear whether its key is good."""

MOST_KEYS = 10_000
"""Keys kept at most; beyond it they are read again as they come."""

CHANNEL = "owed_access"


class Access:
    """The keys that this worker knows."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        self._pool = pool
        self._dsn = dsn
        self._known: dict[bytes, ApiKey] = {}
        self._revision = -1
        self._forgotten = 0
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._used: set[str] = set()
        self._listening: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen; from now on `find` may be asked."""
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Stop listening, and record which keys were used last."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        with contextlib.suppress(Unavailable, Conflict):
            await self.record_use()

    def known(self, hashed: bytes) -> ApiKey | None:
        """Give a key that is known and can be trusted at this moment, with no round trip."""
        if time.monotonic() - self._read_at > TRUSTED_FOR:
            return None
        return self._known.get(hashed)

    async def find(self, hashed: bytes) -> ApiKey | None:
        """Give the key with this hash, from the database where it is not known.

        Raises:
            Unavailable: Nobody can say whether a key is still good.
        """
        with translated():
            async with asyncio.timeout(ASK_FOR):
                if time.monotonic() - self._read_at > TRUSTED_FOR:
                    await self._read()
                return self._known.get(hashed) or await self._fetch(hashed)

    def forget(self) -> None:
        """Forget all keys, with their settings: whoever asks next is told what stands now."""
        self._known.clear()
        self._forgotten += 1  # nor is an answer kept that is on its way

    def note_use(self, key: ApiKey) -> None:
        """Note that a key is in use; it is recorded soon, for many keys at once."""
        self._used.add(key.id)

    async def _fetch(self, hashed: bytes) -> ApiKey | None:
        forgotten = self._forgotten
        with translated():
            async with self._pool.connection() as connection:
                key = (await find_keys(connection, [hashed])).get(hashed)
        if key and forgotten == self._forgotten and len(self._known) < MOST_KEYS:
            self._known[hashed] = key
        return key

    async def _read(self, connection: Connection | None = None) -> None:
        """Read the number, once for all who wait for it, and forget every key if it has changed."""
        asked_at = time.monotonic()
        async with self._reading:
            if self._read_at >= asked_at:
                return
            began_at = time.monotonic()
            with translated():
                if connection is not None:
                    revision = await read_revision(connection)
                else:
                    async with self._pool.connection() as lent:
                        revision = await read_revision(lent)
            if revision != self._revision or len(self._known) >= MOST_KEYS:
                self.forget()
            self._revision, self._read_at = revision, began_at

    async def _listen(self) -> None:
        """Listen for changes, and read the number all the while; connect again whenever the connection is lost."""
        while True:
            with contextlib.suppress(Unavailable, *LOST, asyncpg.PostgresError):
                await self._listen_once()
            await asyncio.sleep(READ_EVERY)

    async def _listen_once(self) -> None:
        connection = await connect(self._dsn)
        changed = asyncio.Event()
        try:
            await connection.raw.add_listener(CHANNEL, lambda *_: changed.set())
            while True:
                await self._read(connection)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), READ_EVERY)
                changed.clear()
        finally:
            connection.raw.terminate()

    async def record_use(self) -> None:
        """Record which keys were used since the last time."""
        used, self._used = self._used, set()
        if used:
            with translated():
                async with self._pool.connection() as connection:
                    await touch_keys(connection, sorted(used), datetime.now(UTC))


def refuse_unusable(key: ApiKey | None) -> ApiKey:
    """Give the key if it is good for secret operations; raise the contract's refusal where it is not."""
    if key is None:
        detail = "There is no such API key. Check that it was copied whole, and that it belongs to this server."
        raise refusal(Code.INVALID_API_KEY, detail, www_authenticate='Bearer error="invalid_token"')
    if key.revoked_at is not None:
        raise refusal(Code.FORBIDDEN, "This API key is revoked. Use another, or have one made.")
    if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
        raise refusal(Code.FORBIDDEN, "This API key has expired. Use another, or have one made.")
    if key.type != "secret":
        raise refusal(Code.FORBIDDEN, "This needs a secret key (sk_test_… or sk_…); this one is public.")
    return key


def bearer(authorization: str | None) -> str:
    """Give the key that an `Authorization` header carries; raise the contract's refusal where it carries none."""
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        detail = "Send your API key as `Authorization: Bearer <key>`."
        raise refusal(Code.UNAUTHORIZED, detail, www_authenticate="Bearer")
    return key.strip()
