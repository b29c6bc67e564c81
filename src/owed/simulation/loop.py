"""A loop of virtual time: nobody sleeps, and what happens at one moment happens in one order."""

import asyncio
import math
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Standstill(Exception):
    """Everybody waits for something that will never happen."""


class Leap(selectors.SelectSelector):
    """Where a loop would sleep, the time passes at once. No file is ever ready: there is no world outside."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Let the time pass."""
        if timeout is None:
            raise Standstill("everybody waits for something that will never happen")
        if timeout > 0:
            self.now = math.nextafter(self.now + timeout, math.inf)  # or, late in the year, it would never be due
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that takes an idle day in no time."""

    def __init__(self) -> None:
        self._leap = Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        """Give the virtual seconds since the loop began."""
        return self._leap.now


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end in virtual time.

    Raises:
        Standstill: It waits for what will never happen.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
