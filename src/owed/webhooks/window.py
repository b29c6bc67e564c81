"""The window: how many requests go to a receiver at the same time. It grows while they succeed, else it shrinks."""

LARGEST = 64
"""Requests to one receiver at the same time, from one worker."""

START = 8


class Window:
    """The number of requests that a receiver is trusted with: a slow or broken one ties up few."""

    def __init__(self) -> None:
        self.size = START
        self._room = float(START)

    def note(self, *, succeeded: bool) -> None:
        """Learn from what became of a request."""
        self._room = min(self._room + 1, LARGEST) if succeeded else max(self._room / 2, 1)
        self.size = int(self._room)
