"""How many requests go to receivers at the same time: to each as many as it is good for, to all as many as we are.

A request that takes long ties up more than one that does not. So those that are quick have room of their own, and those
that are not share another, in which each merchant has a part: a receiver that hangs makes nobody else's wait.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LARGEST = 64
"""Requests to one receiver at the same time, from one worker."""

START = 4
"""The same, to one that is not known yet."""

SLOW = 1.0
"""Seconds from which on a request takes long."""

QUICK_ONES = 256
SLOW_ONES = 256
SLOW_ONES_OF_ONE = 64
"""Requests at the same time to receivers that answered quickly last, to all others, and to those of one merchant."""


class Window:
    """What a receiver is good for: requests at the same time."""

    def __init__(self) -> None:
        self.size = START
        self.is_quick = False

    def note(self, *, succeeded: bool, seconds: float) -> None:
        """Learn from what became of a request, and how long it took."""
        if succeeded:
            self.size = min(self.size + 1, LARGEST)
        elif seconds > SLOW:
            self.size = max(self.size // 2, 1)
        if succeeded or seconds > SLOW:
            self.is_quick = seconds <= SLOW


class Room:
    """What we are good for: requests to all receivers at the same time."""

    def __init__(self) -> None:
        self._quick_ones = asyncio.Semaphore(QUICK_ONES)
        self._slow_ones = asyncio.Semaphore(SLOW_ONES)
        self._of_tenant = defaultdict[int, asyncio.Semaphore](lambda: asyncio.Semaphore(SLOW_ONES_OF_ONE))

    @asynccontextmanager
    async def one(self, tenant_id: int, window: Window) -> AsyncIterator[None]:
        """Wait for the room that one request takes, to a receiver of a tenant."""
        if window.is_quick:
            async with self._quick_ones:
                yield
        else:
            async with self._of_tenant[tenant_id], self._slow_ones:
                yield
