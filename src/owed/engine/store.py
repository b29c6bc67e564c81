"""What the engine needs of a store, and how a store says that it could not."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

import msgspec

from owed.core.state import Name, State
from owed.model.answer import KeptAnswer

LOCK_WAIT = 0.25
"""Seconds that a batch waits for a lock of somebody else. Then it is split: the others need not wait for it."""


class AnswerKey(NamedTuple):
    """An idempotency key in its scope: a merchant and a mode."""

    tenant_id: int
    key: str


NamesByKey = Mapping[AnswerKey, tuple[Name, ...]]
"""For each key, what its command names."""


class Writing(msgspec.Struct):
    """All that one batch saves, at once or not at all."""

    state: State
    answers: dict[AnswerKey, KeptAnswer]

    def is_empty(self) -> bool:
        """Tell whether there is nothing to save: no object changes without a transfer, an event, or who did it."""
        state = self.state
        return not (state.events or state.transfers or state.attributions or self.answers)


class Held(Protocol):
    """A transaction that holds its keys and objects."""

    state: State
    answers: dict[AnswerKey, KeptAnswer]
    busy: set[AnswerKey]
    """Keys that another transaction is deciding at this moment."""

    async def write(self, writing: Writing) -> None:
        """Save it all; it counts once the transaction is left."""


class Store(Protocol):
    """Where objects stand, and where what a batch did is saved.

    Every method raises `Unavailable` where the store cannot be reached, before anything was saved.
    """

    async def read(self, names: list[Name]) -> State:
        """Load the objects as they stand, held by nobody."""

    async def write(self, writing: Writing) -> None:
        """Save it all, or nothing and raise.

        Raises:
            Conflict: An object has changed since it was read, or a key or reference has been taken.
            Blocked: Something that it needs has been held for too long by somebody else.
            Rejected: The store cannot take a value in it.
            Unknown: The connection died, and nobody can say whether it was saved.
        """

    def held(
        self, names: list[Name], keys: NamesByKey, lock_wait: float = LOCK_WAIT
    ) -> AbstractAsyncContextManager[Held]:
        """Hold keys and objects in a transaction, saved when it is left. Raises as `write` does.

        Args:
            names: What to hold in any case.
            keys: The keys to hold, each with what to hold too if it is free.
            lock_wait: Seconds to wait for what somebody else holds.
        """


class Conflict(Exception):
    """What was decided is built on something that is no longer true: read and decide again."""


class Blocked(Conflict):
    """Somebody else holds what this needs, for longer than a batch may wait."""


class Rejected(Exception):
    """A value of the batch cannot be saved; whose it is shows when the batch is split."""


class Unavailable(Exception):
    """The store cannot be reached. Nothing was saved."""


class Unknown(Exception):
    """The connection died while saving, and nobody can say whether it was saved."""
