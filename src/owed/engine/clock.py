"""The clock, and the stamp that it gives each batch."""

import secrets
import time
from datetime import datetime, timedelta

from owed.model.identifiers import EPOCH, IdSource, milliseconds


class Clock:
    """Wall time that never steps back, whatever is done to the machine's."""

    def __init__(self) -> None:
        self._last = EPOCH

    def now(self) -> datetime:
        """Give the time in UTC, to the microsecond."""
        self._last = max(self._last, EPOCH + timedelta(microseconds=time.time_ns() // 1000))
        return self._last


class BatchStamp:
    """The time of one batch, and ids from a source that outlives it."""

    def __init__(self, now: datetime, ids: IdSource) -> None:
        self.now = now
        self._ids = ids
        self._milliseconds = milliseconds(now)

    def new_id(self, prefix: str) -> str:
        """Give an id that sorts after all that were given before."""
        return self._ids.new(prefix, self._milliseconds)

    def new_salt(self) -> bytes:
        """Give 16 random bytes."""
        return secrets.token_bytes(16)

    def new_secret(self) -> bytes:
        """Give 32 random bytes that nobody can guess."""
        return secrets.token_bytes(32)
