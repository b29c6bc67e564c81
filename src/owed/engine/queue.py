"""The queue: commands that wait for a batch, a line for each tenant, taken in turn."""

from collections import deque
from collections.abc import Container, Iterator

from owed.core.state import Name
from owed.engine.pending import Pending


class TenantQueues:
    """Waiting commands. One merchant's import delays nobody else's payment: each turn takes one of every tenant."""

    def __init__(self) -> None:
        self._lines: dict[int, deque[Pending]] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, pending: Pending) -> None:
        """Add a command at the end of its tenant's line."""
        self._lines.setdefault(pending.command.tenant_id, deque()).append(pending)
        self._length += 1

    def length_of(self, tenant_id: int) -> int:
        """Count the commands of one tenant."""
        return len(self._lines.get(tenant_id, ()))

    def overdue(self, now: float) -> list[Pending]:
        """Take the commands whose deadline has passed; in each line those at the front have waited longest."""
        taken: list[Pending] = []
        for tenant_id, line in list(self._lines.items()):
            while line and line[0].deadline < now:
                taken.append(line.popleft())
            if not line:
                del self._lines[tenant_id]
        self._length -= len(taken)
        return taken

    def take(self, most: int, most_bytes: int, busy: Container[Name]) -> list[Pending]:
        """Take the next batch: at most `most` commands that touch nothing in `busy`; those that do keep their place.

        The batch ends with the command that takes it to `most_bytes`.
        """
        taken: list[Pending] = []
        kept: list[Pending] = []
        size = 0
        for pending in self._in_turn(most * 4):
            if any(name in busy for name in pending.names):
                kept.append(pending)
                continue
            taken.append(pending)
            size += pending.size
            if len(taken) == most or size >= most_bytes:
                break
        for pending in reversed(kept):
            self._lines.setdefault(pending.command.tenant_id, deque()).appendleft(pending)
        self._length -= len(taken)
        return taken

    def _in_turn(self, most: int) -> Iterator[Pending]:
        """Remove and yield up to `most` commands, one of each tenant in turn."""
        while self._lines:
            for tenant_id in list(self._lines):
                if most == 0:
                    return
                most -= 1
                line = self._lines.pop(tenant_id)
                pending = line.popleft()
                if line:
                    self._lines[tenant_id] = line
                yield pending
