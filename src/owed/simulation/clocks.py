"""Clocks: the time of a machine, which jumps, and what a worker stamps its batches with, which never goes back."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

from owed.engine.clock import BatchStamp
from owed.model.identifiers import EPOCH, IdSource

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


class Clock:
    """The clock of a machine: its time passes with the loop, until somebody sets it."""

    def __init__(self) -> None:
        self._set_by = timedelta()
        self._latest = START

    def now(self) -> datetime:
        """Give the time in UTC."""
        return START + self._set_by + timedelta(seconds=asyncio.get_running_loop().time())

    def latest(self) -> datetime:
        """Give the latest time that it has ever shown."""
        self._latest = max(self._latest, self.now())
        return self._latest

    def jump(self, seconds: float) -> None:
        """Set the clock forward, or back."""
        self.latest()
        self._set_by += timedelta(seconds=seconds)


class Stamps:
    """The stamps of one worker: what is random follows from a seed, and its time never goes back while it lives."""

    def __init__(self, clock: Clock, seed: str) -> None:
        self._clock = clock
        self._random = Random(seed)
        self._ids = IdSource(self._random)
        self._last = EPOCH

    def __call__(self) -> "SeededStamp":
        self._last = max(self._last, self._clock.now())
        return SeededStamp(self._last, self._ids, self._random)


class SeededStamp(BatchStamp):
    """The stamp of one batch."""

    def __init__(self, now: datetime, ids: IdSource, random: Random) -> None:
        super().__init__(now, ids)
        self._random = random

    def new_salt(self) -> bytes:
        """Give 16 bytes that the seed decides."""
        return self._random.randbytes(16)

    def new_secret(self) -> bytes:
        """Give 32 bytes that the seed decides."""
        return self._random.randbytes(32)
