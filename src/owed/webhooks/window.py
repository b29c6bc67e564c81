"""How many requests go to receivers at the same time: to each as many as it is good for, to all as many as we are.

A request that takes long ties up more than one that does not. So those that are quick have room of their own, and those
that are not share another; and of both each merchant has a part: no receiver makes another merchant's wait.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

LARGEST = 64
"""Requests to one receiver at the same time, from one worker."""

START = 4
"""The same, to one that is not known yet."""

SLOW = 1.0
"""Seconds from which on a request takes long."""

QUICK_ONES, OF_ONE_QUICK = 256, 128
SLOW_ONES, OF_ONE_SLOW = 256, 64
"""Requests at the same time to receivers that answered quickly last, and to all others; how many of one merchant."""


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


class Share:
    """Room of which each merchant has a part at most.

    Args:
        total: How many may be in it at the same time.
        of_one: How many of them may be of one merchant.
    """

    def __init__(self, total: int, of_one: int) -> None:
        self._total = asyncio.Semaphore(total)
        self._of_tenant = defaultdict[int, asyncio.Semaphore](lambda: asyncio.Semaphore(of_one))

    @asynccontextmanager
    async def one(self, tenant_id: int) -> AsyncIterator[None]:
        """Wait for the room that one of a tenant takes."""
        async with self._of_tenant[tenant_id], self._total:
            yield


class Room:
    """What we are good for: requests to all receivers at the same time."""

    def __init__(self) -> None:
        self._quick_ones = Share(QUICK_ONES, OF_ONE_QUICK)
        self._slow_ones = Share(SLOW_ONES, OF_ONE_SLOW)

    def one(self, tenant_id: int, window: Window) -> AbstractAsyncContextManager[None]:
        """Wait for the room that one request takes, to a receiver of a tenant."""
        return (self._quick_ones if window.is_quick else self._slow_ones).one(tenant_id)
