"""The window: how many requests go to a receiver at the same time. It grows while they succeed."""

LARGEST = 64
"""Requests to one receiver at the same time, from one worker."""

START = 8

SLOW = 1.0
"""Seconds from which on a request that fails has tied something up."""


class Window:
    """The number of requests that a receiver is trusted with: a slow or broken one ties up few."""

    def __init__(self) -> None:
        self.size = START

    def note(self, *, succeeded: bool, seconds: float) -> None:
        """Learn from what became of a request, and how long it took."""
        if succeeded:
            self.size = min(self.size + 1, LARGEST)
        elif seconds > SLOW:
            self.size = max(self.size // 2, 1)
