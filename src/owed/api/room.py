"""Room: how much of something may be under way in a worker at once, in all and for one tenant."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from owed.api.problems import Refusal, refusal
from owed.core.outcomes import Code


class Room:
    """Places for what takes long.

    Args:
        what: What takes them, as a refusal calls it.
        most: How many there are.
        most_of_one: How many of them one tenant may take.
        longest: Seconds after which whoever has taken one leaves it.
    """

    def __init__(self, what: str, most: int, most_of_one: int, longest: float) -> None:
        self._what, self._most, self._most_of_one = what, most, most_of_one
        self._longest = longest
        self._taken = Counter[int]()

    @contextmanager
    def place(self, tenant_id: int) -> Iterator[None]:
        """Take a place for a while.

        Raises:
            Refusal: There is none; it tells when to come back.
        """
        if self._taken.total() >= self._most or self._taken[tenant_id] >= self._most_of_one:
            raise self._refusal()
        self._taken[tenant_id] += 1
        try:
            yield
        finally:
            self._taken[tenant_id] -= 1
            self._taken += Counter()  # those who have none left are forgotten

    def _refusal(self) -> Refusal:
        return refusal(
            Code.RATE_LIMITED,
            f"Too many {self._what} are under way; try again when one of them has ended.",
            retry_after="1",
            ratelimit_limit=str(self._most_of_one),
            ratelimit_remaining="0",
            ratelimit_reset=str(math.ceil(self._longest)),
        )
