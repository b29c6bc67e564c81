"""Effects: what each request has done, and what its client was told. A key has one effect, and one answer."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from owed.core.outcomes import Code
from owed.engine.attempts import UNKNOWN
from owed.engine.keys import REUSED
from owed.engine.pending import Reply
from owed.model.answer import Answer
from owed.model.attribution import Attribution
from owed.simulation.clocks import Clock
from owed.simulation.requests import STATUSES, render, words
from owed.simulation.steps import Ask, Verb

DAY = timedelta(hours=24)
"""After so long a key is forgotten (contract, 1.4)."""

BUG = STATUSES[Code.INTERNAL_ERROR]
UNSURE, REFUSED_KEY = render(UNKNOWN), render(REUSED)

Key = tuple[int, int]
"""A tenant, and the number in an idempotency key."""


class Told(NamedTuple):
    """The answer that a key has.

    Attributes:
        since: It was not decided before.
    """

    since: datetime
    answer: Answer


class Effects:
    """All requests that were sent, by their numbers.

    Args:
        clock: The store's, by which a key grows old.

    Attributes:
        made: The ids of what they were about, where they did anything.
    """

    def __init__(self, clock: Clock) -> None:
        self.made: dict[int, str] = {}
        self._clock = clock
        self._asks: dict[str, Ask] = {}
        self._sharing: dict[Key, list[int]] = defaultdict(list)
        self._sent_at: dict[Key, datetime] = {}
        self._done: dict[int, int] = defaultdict(int)
        self._done_at: dict[Key, datetime] = {}
        self._told: dict[Key, Told] = {}

    def send(self, ask: Ask) -> None:
        """Note that a request is on its way."""
        self._asks[words(ask.number)] = ask
        if ask.key is not None:
            self._sharing[ask.tenant, ask.key].append(ask.number)
            self._sent_at.setdefault((ask.tenant, ask.key), self._clock.now())

    def clock_was_set(self) -> None:
        """Note that what is decided from now on may be dated before it was sent."""
        now = self._clock.now()
        self._sent_at = {key: min(sent_at, now) for key, sent_at in self._sent_at.items()}

    def done(self, by: Attribution) -> Iterator[str]:
        """Note what a request has just done, and yield why it must not have."""
        ask = self._asks[by.actor.name or ""]
        self._done[ask.number] += 1
        self.made[ask.number] = by.object_id
        if (by.tenant_id, by.actor.key_id) != (ask.tenant, f"key_{ask.tenant}"):
            yield f"request {ask.number} of tenant {ask.tenant} did something in tenant {by.tenant_id}"
        if ask.key is None:
            if self._done[ask.number] > 1:
                yield f"request {ask.number} was sent once, and was done {self._done[ask.number]} times"
            return
        key, now = (ask.tenant, ask.key), self._clock.now()
        if key in self._done_at and now - self._done_at[key] <= DAY:
            yield f"the key k{ask.key} has a second effect, of request {ask.number}"
        self._done_at[key] = now

    def answered(self, ask: Ask, reply: Reply) -> Iterator[str]:
        """Yield why a request must not have been answered so."""
        if reply.answer.status == BUG and ask.is_poison and not self._done[ask.number]:
            return
        if reply.answer.status == BUG:
            yield f"request {ask.number} was answered with {reply.answer.body.decode()}"
        elif reply.passing:
            if ask.key is None and self._done[ask.number] and reply.answer != UNSURE:
                yield f"request {ask.number} was done, and its client was told that it was not"
        elif reply.answer == REFUSED_KEY:
            if ask.key is None or len(self._sharing[ask.tenant, ask.key]) == 1:
                yield f"request {ask.number} alone has its key, and was told that another has it"
        else:
            yield from self._untrue(ask, reply.answer)
            yield from self._unlike(ask, reply)

    def _untrue(self, ask: Ask, answer: Answer) -> Iterator[str]:
        """Yield how an answer says something else than what was done."""
        key = (ask.tenant, ask.key or 0)
        numbers = [ask.number] if ask.key is None else self._sharing[key]
        is_done = any(self._done[number] for number in numbers)
        says_done = answer.status < 300
        if says_done and not is_done and ask.verb is not Verb.UPDATE:  # an update may have nothing to change
            yield f"request {ask.number} was answered {answer.status}, and nothing was done"
        if is_done and not says_done and (ask.key is None or not self._may_be_forgotten(self._sent_at[key])):
            yield f"request {ask.number} was done, and was answered {answer.status}: {answer.body.decode()}"

    def _unlike(self, ask: Ask, reply: Reply) -> Iterator[str]:
        """Yield how an answer is another than the one that its key has."""
        if ask.key is None or not reply.kept:
            return
        key = (ask.tenant, ask.key)
        told = self._told.setdefault(key, Told(self._sent_at[key], reply.answer))
        if told.answer != reply.answer:
            if not self._may_be_forgotten(told.since):
                yield f"request {ask.number} was answered {told.answer} before, and now {reply.answer}"
            self._told[key] = Told(told.since + DAY, reply.answer)

    def _may_be_forgotten(self, since: datetime) -> bool:
        """Tell whether a key may have been forgotten: whether the clock has ever been a day further."""
        return self._clock.latest() - since > DAY
