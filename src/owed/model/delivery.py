"""Deliveries: what an endpoint has yet to get, and what became of an attempt to give it."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from owed.model.access import Mode


class EndpointKey(NamedTuple):
    """An endpoint of a tenant."""

    tenant_id: int
    id: str


class Receiver(msgspec.Struct, frozen=True):
    """An endpoint as a worker knows it, and only while it takes deliveries.

    Attributes:
        secrets: Those that sign now.
        resumed_at: When it was enabled last, or got another URL.
        is_resuming: Whether it was enabled, and its backlog is not in order yet: until then nothing is claimed.
    """

    tenant_id: int
    id: str
    mode: Mode
    version: int
    url: str
    secrets: tuple[str, ...]
    resumed_at: datetime
    is_resuming: bool


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that this worker alone may attempt now.

    Attributes:
        claim: The token of the claim: without it no outcome is recorded.
        lane: What its place in a queue is of: its object, or itself where it is out of order.
        tried: Attempts that there ever were.
        attempts: Those since it was begun, or begun afresh.
        is_late: Whether it is not to be attempted now, but to stop holding back the ones behind it.
        body: None where the event is forgotten already.
    """

    tenant_id: int
    endpoint_id: str
    event_id: str
    claim: int
    lane: str
    position: int
    sequence: int
    tried: int
    attempts: int
    first_attempt_at: datetime | None
    retry_at: datetime | None
    is_late: bool
    body: bytes | None
    recorded_at: datetime | None

    @property
    def out_of_order(self) -> bool:
        """Tell whether it goes by itself, whatever of its object comes before or after it."""
        return self.lane == self.event_id


class Fate(StrEnum):
    """What becomes of a claimed delivery."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    FAILED = "failed"
    RELEASED = "released"


class Attempt(msgspec.Struct, frozen=True):
    """An attempt to send something to a receiver.

    Attributes:
        address: The one that was connected to.
        status: Of the answer, if there was one.
        answer: The first 2 KiB of its body.
        error: What went wrong, in a short sentence.
        retry_after: Seconds that the receiver asks to be left alone.
    """

    attempted_at: datetime
    duration_ms: int
    address: str | None = None
    status: int | None = None
    answer: bytes | None = None
    error: str | None = None
    retry_after: float | None = None

    @property
    def succeeded(self) -> bool:
        """Tell whether the receiver has taken it: a status of 200 to 299, and nothing else."""
        return self.error is None and self.status is not None and 200 <= self.status <= 299

    @property
    def is_gone(self) -> bool:
        """Tell whether the receiver wants nothing more, ever."""
        return self.status == 410


class Outcome(msgspec.Struct, frozen=True):
    """What is to be recorded of a claimed delivery.

    Attributes:
        attempt_id: Of the attempt, if one was made.
        due_at: When it is to be looked at again.
        retry_at: When it is to be attempted again.
        out_of_order: Whether it goes by itself from now on; nothing where it was delivered or released.
        rest: Seconds in which the endpoint is sent nothing, as it asked.
        resumed_at: Of the receiver that was attempted. Where it was enabled again since, or has another URL, a failure
            says nothing about it.
    """

    delivery: Claimed
    fate: Fate
    attempt: Attempt | None = None
    attempt_id: str | None = None
    due_at: datetime | None = None
    retry_at: datetime | None = None
    out_of_order: bool = False
    rest: float | None = None
    resumed_at: datetime | None = None
