"""Retries: when a delivery that failed is attempted again, and when it stops holding back the ones behind it."""

from datetime import datetime, timedelta

import msgspec

JITTER = 0.1
"""The share of a pause that chance may add to it, so that what failed together does not come again together."""

LONGEST_REST = 86_400.0
"""Seconds that a receiver may ask us to wait, at most."""


class Schedule(msgspec.Struct, frozen=True):
    """How patient we are.

    Attributes:
        pauses: Seconds from each failed attempt to the next; there is one attempt more than there are pauses.
        in_order_for: Seconds from its first attempt in which a delivery holds back the later ones of its object.
    """

    pauses: tuple[float, ...]
    in_order_for: float


class Retry(msgspec.Struct, frozen=True):
    """What becomes of a delivery that failed.

    Attributes:
        retry_at: When it is attempted again.
        due_at: When to look at it again: that time, or before it the time to set it aside.
        out_of_order: Whether the ones behind it no longer wait for it.
    """

    retry_at: datetime
    due_at: datetime
    out_of_order: bool


def retry(
    schedule: Schedule,
    *,
    attempts: int,
    first_attempt_at: datetime,
    out_of_order: bool,
    now: datetime,
    chance: float,
    retry_after: float | None = None,
) -> Retry | None:
    """Say what becomes of a delivery whose last attempt failed; None where that was the last.

    Args:
        attempts: How many there were, that one among them.
        first_attempt_at: When the first was made.
        out_of_order: Whether others have stopped waiting for it already.
        chance: A random number from 0 to 1.
        retry_after: Seconds that the receiver asked us to wait.
    """
    if attempts > len(schedule.pauses):
        return None
    pause = schedule.pauses[attempts - 1] * (1 + JITTER * chance)
    retry_at = now + timedelta(seconds=max(pause, rest(retry_after)))
    held_until = first_attempt_at + timedelta(seconds=schedule.in_order_for)
    if out_of_order or held_until <= now:
        return Retry(retry_at, retry_at, out_of_order=True)
    return Retry(retry_at, min(retry_at, held_until), out_of_order=False)


def rest(retry_after: float | None) -> float:
    """Give the seconds to rest for a receiver that asked for some, or for none."""
    return min(max(retry_after or 0.0, 0.0), LONGEST_REST)
